"""The rules of a recording: `--config`, loaded at the start, and anew at SIGHUP or when the file has changed."""

from __future__ import annotations

import os
import pwd
import signal
from contextlib import suppress
from typing import TYPE_CHECKING

from procwire.cli.exits import complain
from procwire.words import counted

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import FrameType

    from procwire.cli.request import Request
    from procwire.recorder import LiveRules
    from procwire.recorder.reload import Step
    from procwire.sysmon.model import Configuration

__all__ = [
    "Hangups",
    "check_readable",
    "described",
    "live_rules",
    "logged_images",
    "rules_of_images",
    "say",
    "without_configuration",
]

# What a file may be written in; Python imports each when it is met first.
_ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "iso-8859-1")


class Hangups:
    """While entered, SIGHUP is kept to be asked for, and ends nothing."""

    def __init__(self) -> None:
        self._count = 0
        self.take = self.taker()

    def __enter__(self) -> Hangups:
        self._before = signal.signal(signal.SIGHUP, self._receive)
        return self

    def __exit__(self, *_: object) -> None:
        signal.signal(signal.SIGHUP, self._before)

    def taker(self) -> Callable[[], bool]:
        """Asks whether one came since it was asked last, or since the beginning; each asks for itself."""
        taken = 0

        def take() -> bool:
            nonlocal taken
            before, taken = taken, self._count
            return taken > before

        return take

    def _receive(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self._count += 1


def say(text: str) -> None:
    """Say a line on stderr, as long as there is one: a terminal that hangs up is gone."""
    with suppress(OSError):
        complain(text)


def without_configuration(hangups: Hangups) -> None:
    """What is done between two batches where there is no configuration."""
    if hangups.take():
        say("SIGHUP ignored: there is no --config FILE, and no --detect PATH, to reload")


def live_rules(request: Request, path: Path, hangups: Hangups) -> LiveRules:
    """The rules of the file, with what `-n` adds.

    Raises UsageError for a file that cannot be read, ConfigurationError for one that cannot be used.
    """
    import codecs

    from procwire.recorder import Changes, ConfigurationLedger, LiveRules

    for encoding in _ENCODINGS:
        codecs.lookup(encoding)
    ledger = ConfigurationLedger(str(path.absolute()))
    # Before it is read: what changes meanwhile is a change.
    changes = Changes(path)
    return LiveRules(
        _loader(request, path),
        _compiler(request),
        changes=changes,
        asked=hangups.take,
        ledger=ledger,
        tell=lambda configuration: _tell(configuration, again=ledger.loaded > 1),
        complain=say,
    )


def _loader(request: Request, path: Path) -> Callable[[], Configuration]:
    from procwire.recorder.images import with_images
    from procwire.sysmon.parse import load

    def read() -> Configuration:
        configuration = load(path, lenient=request.lenient)
        return configuration if request.images is None else with_images(configuration, request.images)

    return read


def _compiler(request: Request) -> Callable[[Configuration], Step]:
    from procwire.sysmon.config_filter import ConfigFilter

    def compiled(configuration: Configuration) -> Step:
        return ConfigFilter(configuration, strict=request.strict_sysmon, keep=request.keep_unlogged)

    return compiled


def rules_of_images(request: Request) -> Step:
    """The rules that `-n` stands for where there is no configuration."""
    from procwire.recorder.images import with_images
    from procwire.sysmon.model import Configuration

    nothing = Configuration("-n", (4, 90), (), dns_lookup=True, field_sizes={}, findings=())
    return _compiler(request)(with_images(nothing, request.images or ()))


def logged_images(request: Request) -> Callable[[str | None], bool]:
    """The same rules, of one image at a time; without `-n` every one is logged."""
    if not request.images:
        return lambda _: True
    from procwire.recorder.images import with_images
    from procwire.sysmon import Configuration, decide
    from procwire.sysmon.forms import text_of

    nothing = Configuration("-n", (4, 90), (), dns_lookup=True, field_sizes={}, findings=())
    rules = with_images(nothing, request.images)
    return lambda image: decide(rules, {"Image": text_of("Image", image)}).logged


def check_readable(path: Path, account: pwd.struct_passwd | None) -> None:
    """Say if the account that records cannot read the file, and so will not see it change."""
    try:
        # Not access(2), which looks past the capabilities that the poll sensor keeps.
        os.close(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK))
    except OSError as error:
        name = "it" if account is None else account.pw_name
        say(f"changes to {path} will not be seen: {name} cannot read it ({error.strerror})")


def _tell(configuration: Configuration, *, again: bool) -> None:
    for line in described(configuration):
        say(f"reloaded: {line}" if again else line)


def described(configuration: Configuration) -> list[str]:
    """What of a configuration is applied, in a line; one more where it logs nothing."""
    elements = configuration.network_connect
    parts = [
        f"schema {configuration.schema}",
        f"{counted(configuration.filter_count, 'filter')} in {counted(len(elements), 'NetworkConnect element')}",
        f"DnsLookup {configuration.dns_lookup}",
    ]
    parts += ["FieldSizes"] if configuration.field_sizes else []
    line = f"rules of {configuration.path}: {', '.join(parts)}{_not_applied(configuration)}"
    nothing = [f"{configuration.path}: this configuration logs no network connection"]
    return [line] + (nothing if _logs_nothing(configuration) else [])


def _not_applied(configuration: Configuration) -> str:
    others = {element.event for element in configuration.elements} - {"NetworkConnect"}
    parts = [f"the rules of {counted(len(others), 'other event')} are not applied"] if others else []
    for severity, words in (
        ("error", ("error passed over", "errors passed over")),
        ("warning", ("warning", "warnings")),
    ):
        count = sum(found.severity == severity for found in configuration.findings)
        parts += [counted(count, *words)] if count else []
    return f"; {', '.join(parts)} (procwire config check --notes {configuration.path})" if parts else ""


def _logs_nothing(configuration: Configuration) -> bool:
    includes = any(element.onmatch == "include" and element.operands for element in configuration.network_connect)
    return not includes and not configuration.logs_by_default
