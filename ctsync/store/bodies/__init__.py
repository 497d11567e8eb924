"""Record bodies as they are packed and stored. Knows no trials."""
