"""One polite HTTP session to the registry: pace, retries, time limits. Knows no trials."""
