"""Learning-rate schedules by name: one module each, found by `harness.registry.SCHEDULES`."""
