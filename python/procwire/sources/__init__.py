"""The ways in: logs of every kind become batches of `procwire.event.SCHEMA`."""

from procwire.sources.logs import read_batches

__all__ = ["read_batches"]
