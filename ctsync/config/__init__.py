"""Settings from a TOML file and the environment, with all problems reported at once."""
