"""The followed trials: terms, queries and their members."""
