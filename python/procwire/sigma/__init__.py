"""Sigma rules, which describe what to detect in connections: load, match and analyse them."""

from __future__ import annotations

from procwire.sigma.analysis.check import CheckReport, check
from procwire.sigma.analysis.testing import TestReport, test
from procwire.sigma.detect import detect
from procwire.sigma.loading.parse import load
from procwire.sigma.matching.hits import SCHEMA
from procwire.sigma.matching.stream import SigmaStream
from procwire.sigma.model.rule import LEVELS, LogSource, Rule, RuleSet
from procwire.sigma.problems import Problem
from procwire.sigma.summary import load_usable, summary

__all__ = [
    "LEVELS",
    "SCHEMA",
    "CheckReport",
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
