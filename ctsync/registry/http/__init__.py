"""HTTP session for the registry: request rate, retries, time limits, size limits."""
