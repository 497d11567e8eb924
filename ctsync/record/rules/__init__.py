"""The rule table, thresholds, and conditions over key fields. Does no I/O."""
