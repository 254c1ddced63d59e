"""Optimizers by name: one module each, found by `harness.registry.OPTIMIZERS`."""
