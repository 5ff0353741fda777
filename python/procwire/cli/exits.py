"""How a verb ends: exit codes, and errors as one line on stderr."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from enum import IntEnum

from procwire.errors import DamageError, ProcwireError, UsageError
from procwire.extras import named_extras

__all__ = ["ExitCode", "complain", "discard_streams", "exit_code_of"]


class ExitCode(IntEnum):
    """Documented in docs/cli.md."""

    ALL_READ = 0
    NOTHING_READ = 1
    USAGE = 2
    DAMAGED = 3
    INTERRUPTED = 130
    TERMINATED = 143
    # The same of a recording.
    RECORDED = 0
    NOT_RECORDED = 1
    LOSSY = 3
    # And of checking a configuration.
    VALID = 0
    INVALID = 1
    # Of what asks before it deletes.
    DECLINED = 1
    # And of what looks for matches of rules.
    NO_MATCH = 0
    MATCHED = 4


def complain(text: str) -> None:
    """Say on stderr what is wrong, on a line or several."""
    from procwire.plain import plain

    sys.stderr.write("".join(f"procwire: {plain(line)}\n" for line in text.splitlines() or [""]))


def discard_streams() -> None:
    """After a pipe was closed or a disk was full: let nothing that is still buffered raise again."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def exit_code_of(verb: Callable[[], ExitCode]) -> ExitCode:
    """Run a verb, and turn its errors into messages on stderr and an exit code."""
    try:
        with named_extras():
            code = verb()
        sys.stdout.flush()
        return code
    except UsageError as error:
        complain(str(error))
        return ExitCode.USAGE
    except BrokenPipeError:
        discard_streams()
        return ExitCode.ALL_READ
    except KeyboardInterrupt:
        discard_streams()
        return ExitCode.INTERRUPTED
    except DamageError as error:
        complain(str(error))
        return ExitCode.DAMAGED
    except ProcwireError as error:
        complain(str(error))
        return ExitCode.NOTHING_READ
    except OSError as error:
        complain(f"{error.filename or 'results'}: {error.strerror or error}")
        discard_streams()
        return ExitCode.NOTHING_READ
