"""The mirror of the entire registry: first load, daily update, full scan."""
