"""What Sigma rules can do: which match in data or under a configuration, and whether they match their examples."""
