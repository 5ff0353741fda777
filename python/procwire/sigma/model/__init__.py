"""The model of Sigma rules: trees of tests over columns, rules with their metadata, and sets of rules."""
