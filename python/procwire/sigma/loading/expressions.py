"""Check regular expressions with RE2, which DuckDB also uses, with errors as exceptions, not lines on stderr."""

from __future__ import annotations

from typing import Any

from sigma.policy import SigmaPolicy
from sigma.policy.regex_engine import RE2RegexEngine

__all__ = ["POLICY"]


class _QuietEngine(RE2RegexEngine):
    def __init__(self) -> None:
        super().__init__()
        self._options = self._re2.Options()
        self._options.log_errors = False

    def compile(self, pattern: str, flags: int = 0) -> Any:
        # pySigma adds flags after it has compiled, and none here.
        del flags
        try:
            return self._re2.compile(pattern, self._options)
        except self._re2.error as error:
            raise self.error(error.args[0].decode(errors="replace")) from error

    def __deepcopy__(self, memo: object) -> _QuietEngine:
        # pySigma copies what it parsed.
        return self


POLICY = SigmaPolicy(regex_engine=_QuietEngine())
"""The policy with which pySigma parses rules."""
