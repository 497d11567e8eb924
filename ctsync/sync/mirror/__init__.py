"""The mirror of the whole registry: first load, daily update, full scan."""
