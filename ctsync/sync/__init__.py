"""The write side: fetch, decide, store, deliver. Formats nothing."""
