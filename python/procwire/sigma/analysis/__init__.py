"""Analysis of Sigma rules: which can match in data or under a configuration, and which match their examples."""
