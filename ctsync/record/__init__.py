"""Trial records, their differences, and the events made from them. Does no I/O."""
