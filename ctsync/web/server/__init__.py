"""The read-only server of `ctsync serve`, over the same pages and templates as the site."""
