"""The sections of a report on one profile, a module each."""
