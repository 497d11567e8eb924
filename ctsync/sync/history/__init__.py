"""Trial histories of the registry: fetched and put in order among the stored versions."""
