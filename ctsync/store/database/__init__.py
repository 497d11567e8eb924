"""Engines, tables, migrations and locks: what every read and write stands on."""
