"""The only code that knows SQL; knows nothing of the registry."""
