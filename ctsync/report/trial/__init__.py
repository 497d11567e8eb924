"""Views of one trial: page, timeline, field history. Does no I/O."""
