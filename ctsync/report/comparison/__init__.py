"""Two versions of a trial compared, for people to read: entries, and one module per format."""
