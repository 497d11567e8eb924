"""From field changes to events, one file per family. Does no I/O."""
