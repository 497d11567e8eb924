"""Syncing: fetch, decide, store, deliver. Formats nothing."""
