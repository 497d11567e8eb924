"""Engines, tables, migrations and locks, which every read and write uses."""
