"""The pictures of the README and of these pages. `make pictures` draws them."""
