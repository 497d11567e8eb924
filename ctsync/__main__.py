"""`python -m ctsync`."""

from ctsync.cli import main

main(prog_name="ctsync")
