"""Pages for people: the answers of the questions as HTML, for `ctsync site`. Knows no SQL."""
