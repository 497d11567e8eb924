"""What an answer of the registry means for a trial: the decision, and the version to store."""
