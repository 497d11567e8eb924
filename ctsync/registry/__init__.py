"""The only code that talks to ClinicalTrials.gov; knows nothing of the store."""
