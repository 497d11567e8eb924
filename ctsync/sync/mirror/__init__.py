"""The whole registry: first load, daily update, full scan."""
