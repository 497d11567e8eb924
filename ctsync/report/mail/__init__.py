"""A report as a mail: subject, plain text and HTML. Does no I/O."""
