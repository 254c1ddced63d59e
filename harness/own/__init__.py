"""A user's own code: where it is, what identifies it, and how it is imported."""
