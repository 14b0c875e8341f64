"""Pages of looking: sweeps and findings."""
