"""What is told and how it is written; pure, no I/O."""
