"""Commands that ask: each a thin face over one question."""
