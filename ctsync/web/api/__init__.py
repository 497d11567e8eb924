"""The questions as JSON and CSV over HTTP, for other programs. Only reads; knows no SQL."""
