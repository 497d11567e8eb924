"""The registry's contract: the assumptions that ctsync rests on, each checked by requests."""
