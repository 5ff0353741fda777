"""Sigma: rules for what to detect, over connections."""

from __future__ import annotations

from procwire.sigma.analysis.check import CheckReport, check
from procwire.sigma.analysis.testing import TestReport, test
from procwire.sigma.detect import detect
from procwire.sigma.hits import SCHEMA
from procwire.sigma.parse import load
from procwire.sigma.problems import Problem
from procwire.sigma.rule import LEVELS, Level, LogSource, Rule, RuleSet
from procwire.sigma.stream import SigmaStream
from procwire.sigma.summary import load_usable, summary

__all__ = [
    "LEVELS",
    "SCHEMA",
    "CheckReport",
    "Level",
    "LogSource",
    "Problem",
    "Rule",
    "RuleSet",
    "SigmaStream",
    "TestReport",
    "check",
    "detect",
    "load",
    "load_usable",
    "summary",
    "test",
]
