"""Generators of the reference pages. `hook.py` runs them when mkdocs builds the site."""
