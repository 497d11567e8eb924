"""Clients for ClinicalTrials.gov: the only code that sends requests to the registry."""
