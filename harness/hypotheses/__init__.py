"""What a claim may expect of an effect, one module for each hypothesis."""
