"""What the registry does by itself: UNKNOWN, reprocessing days, schema drift. Does no I/O."""
