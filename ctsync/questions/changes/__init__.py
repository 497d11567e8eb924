"""Questions about what changed."""
