"""The only code that uses SQL. Does not know the registry."""
