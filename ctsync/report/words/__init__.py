"""Events and trials in words, the same in every format."""
