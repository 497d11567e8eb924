"""Packing and storing of record bodies. Knows no trials."""
