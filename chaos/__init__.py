"""`make chaos`: things die, on purpose. What was acknowledged is there afterwards, nothing happened twice, the day comes out the same."""
