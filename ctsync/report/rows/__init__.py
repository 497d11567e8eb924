"""The rows of events and reports, and their JSON form."""
