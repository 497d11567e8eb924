"""Work on all tables of a database: check, repair, statistics, backup, copy, compact."""
