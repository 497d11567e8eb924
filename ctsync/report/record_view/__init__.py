"""A record in readable form: its sections and fields as values, as HTML and as text."""
