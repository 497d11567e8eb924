"""Reports as values and their formats. Does no I/O."""
