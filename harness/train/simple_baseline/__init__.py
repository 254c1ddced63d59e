"""The simple model beside every study: quick, well known, and on the same splits."""

from harness.train.simple_baseline.fit import fit_simple_baseline

__all__ = ["fit_simple_baseline"]
