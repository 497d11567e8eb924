"""Commands that say how ctsync itself is doing; each calls one function of `ctsync.questions`."""
