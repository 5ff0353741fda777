"""Matching of Sigma rules with batches of events, and correlation, with the engine of `procwire.matching`."""
