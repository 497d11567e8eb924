"""What is shown of one trial: its page, its timeline, its field histories. Does no I/O."""
