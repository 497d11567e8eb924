"""Events of the outcome measures. Does no I/O."""
