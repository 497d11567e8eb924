"""Gets reports to people: the outbox and its channels; decides nothing about levels."""
