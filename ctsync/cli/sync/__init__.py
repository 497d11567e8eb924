"""Commands that fetch and store."""
