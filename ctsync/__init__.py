"""ctsync keeps every version of the ClinicalTrials.gov records you watch and says what changed."""

__version__ = "0.1.0"
