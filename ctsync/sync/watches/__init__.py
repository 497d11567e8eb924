"""Watches: the terms and queries that name the followed trials, and query membership."""
