"""Match Sigma rules with batches of events, and correlate what matches, with the engine of `procwire.matching`."""
