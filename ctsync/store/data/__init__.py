"""The reads and writes of each table, one file per subject."""
