"""The table of record fields, and field lookup by name or path. Does no I/O."""
