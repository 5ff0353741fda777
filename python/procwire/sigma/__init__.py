"""Sigma: rules for what to detect, over connections."""

from __future__ import annotations

from procwire.sigma.detect import detect
from procwire.sigma.hits import SCHEMA
from procwire.sigma.parse import load
from procwire.sigma.problems import Problem
from procwire.sigma.rule import LEVELS, Level, LogSource, Rule, RuleSet
from procwire.sigma.stream import SigmaStream

__all__ = ["LEVELS", "SCHEMA", "Level", "LogSource", "Problem", "Rule", "RuleSet", "SigmaStream", "detect", "load"]
