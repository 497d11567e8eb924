"""Which trials are followed: terms, queries and their members."""
