"""The read side: one file per question. Writes nothing."""
