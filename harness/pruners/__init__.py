"""Which candidates of a search are stopped early, one module for each pruner."""
