"""Work on a whole database: check, repair, statistics, backup, copy, compact."""
