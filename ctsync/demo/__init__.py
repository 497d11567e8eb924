"""The story of `ctsync demo`, its records, and the small registry that serves them."""
