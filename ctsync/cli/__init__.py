"""The command line; wiring only, no business logic."""
