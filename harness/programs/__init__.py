"""Fixed programs that a text prints, as trainings of their own: what they say, not what is best."""
