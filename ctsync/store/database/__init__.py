"""Engines, tables, migrations and locks, used by every read and write."""
