"""The registry's HTML history brought to the form of API v2. Does no I/O."""
