"""Conversion of the registry's HTML record history to the form of API v2. Does no I/O."""
