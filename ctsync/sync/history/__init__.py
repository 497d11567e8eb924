"""The registry's trial histories: fetches them and inserts them among the stored versions."""
