"""The registry's own changes: UNKNOWN status, reprocessing days, schema drift. Does no I/O."""
