"""Questions about runs and health."""
