"""What a trial record is and how two of them differ; pure, no I/O."""
