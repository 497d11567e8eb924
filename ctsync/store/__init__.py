"""The only code that knows SQL. Knows nothing of the registry."""
