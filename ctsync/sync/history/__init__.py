"""The registry's own history of trials, fetched and put in its place."""
