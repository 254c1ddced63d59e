"""What every network and every data set must do, for the tests of packages that bring their own.

The suites are classes to inherit from (`harness.testing.models`, `harness.testing.data`); pytest
finds what they need by itself where this package is installed.
"""
