"""The charts of a trial's page as values: shapes, a table and a text for each. Does no I/O."""
