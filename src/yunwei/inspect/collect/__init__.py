"""Collectors: they look at equipment and bring observations back. No Django, no database."""
