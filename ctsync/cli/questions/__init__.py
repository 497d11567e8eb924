"""Commands that answer questions: each calls one function of `ctsync.questions`."""
