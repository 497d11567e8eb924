"""Rule table, thresholds, levels, and conditions on key fields. Does no I/O."""
