"""The use cases: watch, sync, ask; decides nothing about records and formats nothing."""
