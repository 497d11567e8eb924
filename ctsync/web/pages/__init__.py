"""One file per page: the values of a question as HTML text. Does no I/O."""
