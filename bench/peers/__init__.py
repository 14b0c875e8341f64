"""What runs in the peers' own environment (`.bench/venv`): nothing here may import the product."""
