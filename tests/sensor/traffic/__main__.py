"""Run a traffic program: `python -m traffic MODULE.FUNCTION [ARGUMENT...]`; the truth goes to stdout."""

from __future__ import annotations

import importlib
import sys

from traffic.witness import Witness


def main() -> None:
    """Run the program that the command line names."""
    module, _, function = sys.argv[1].partition(".")
    getattr(importlib.import_module(f"traffic.{module}"), function)(Witness(), *sys.argv[2:])


if __name__ == "__main__":
    main()
