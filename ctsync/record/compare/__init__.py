"""Canonical form of records, list alignment, and comparison. Does no I/O."""
