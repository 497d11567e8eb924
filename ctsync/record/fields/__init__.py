"""The one table of the fields of a record, and how a field is found. Does no I/O."""
