"""A replay registry on loopback and the records it shows, for `ctsync demo` and the tests."""
