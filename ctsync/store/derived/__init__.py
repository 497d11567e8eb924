"""Rows that follow from stored records, kept because deriving them takes long."""
