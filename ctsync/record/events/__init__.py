"""Events made from field changes, one file per family of events. Does no I/O."""
