"""Run the command line: `python -m procwire VERB`."""

from __future__ import annotations

from procwire.cli import main

__all__: list[str] = []

if __name__ == "__main__":
    main()
