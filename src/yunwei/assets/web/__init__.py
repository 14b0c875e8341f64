"""Pages of what is looked after."""
