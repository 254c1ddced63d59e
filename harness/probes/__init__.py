"""Measurements beside the metrics that a study can ask for, one module each."""
