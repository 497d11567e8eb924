"""Tracks changes in ClinicalTrials.gov records: stores every version and reports what changed."""

__version__ = "0.1.0"
