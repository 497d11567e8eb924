"""Stored versions and events as files for other programs."""
