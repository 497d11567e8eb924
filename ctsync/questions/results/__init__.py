"""The JSON of the commands that change or check something: sync, mirror, backfill and others.

Contains only the row types; each command fills them from its result. Does no I/O.
"""
