"""Questions about the trials that are followed."""
