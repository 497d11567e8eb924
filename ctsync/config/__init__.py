"""Settings: TOML and environment read into one model, every problem reported at once."""
