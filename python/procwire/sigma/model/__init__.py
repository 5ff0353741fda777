"""Represent Sigma rules as data: trees of tests over columns, rules with what describes them, and sets of rules."""
