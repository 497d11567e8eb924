"""The JSON of the commands that do something: sync, mirror, backfill, import and others.

Only the row types: a command fills them from its result. Does no I/O.
"""
