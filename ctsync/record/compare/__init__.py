"""The canonical form of a record, and what differs between two. Does no I/O."""
