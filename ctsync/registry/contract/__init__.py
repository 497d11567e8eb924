"""The registry's contract: the assumptions that ctsync relies on, each checked with requests."""
