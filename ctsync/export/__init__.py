"""Files of stored versions and events for other programs."""
