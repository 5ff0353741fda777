"""Analyse what Sigma rules can do: which match in data or under a configuration, and which match their examples."""
