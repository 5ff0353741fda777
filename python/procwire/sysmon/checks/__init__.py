"""What `rules/check.py` puts together: one file per family of checks."""
