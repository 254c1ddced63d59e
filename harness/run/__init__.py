"""The conductor: skip what is done, submit the rest, store what comes back, tell."""
