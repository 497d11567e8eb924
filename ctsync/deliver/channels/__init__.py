"""The channels, one file per channel."""
