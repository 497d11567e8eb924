"""Questions about one trial."""
