"""Delivery of reports: the outbox and its channels. Levels are decided elsewhere."""
