"""How the next candidates of a search are chosen, one module for each sampler."""
