"""One file a scenario (or some of one kind), found by walking; each has `SCENARIOS`: name → function."""
