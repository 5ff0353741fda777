"""Load the rules of a recording (`--config`), again at SIGHUP or when the file has changed, and describe them."""

from __future__ import annotations

import os
import pwd
from functools import partial
from typing import TYPE_CHECKING

from procwire.recorder.notices import Notice, warner
from procwire.words import counted

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from procwire.recorder.notices import Notify
    from procwire.recorder.reload import LiveRules
    from procwire.recorder.settings import RecordingSettings
    from procwire.signals import Hangups
    from procwire.sysmon.config_filter import ConfigFilter
    from procwire.sysmon.model import Configuration

__all__ = ["check_readable", "described", "live_rules"]

# Encodings of configuration files; Python imports each when it is first used.
_ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "iso-8859-1")


def live_rules(settings: RecordingSettings, path: Path, hangups: Hangups, notify: Notify) -> LiveRules:
    """Return the rules of the file, with those that `-n` adds, and notify of them now and at each reload.

    Raises UsageError for a file that cannot be read, ConfigurationError for one that cannot be used.
    """
    import codecs

    from procwire.recorder.ledger import ConfigurationLedger
    from procwire.recorder.reload import Changes, LiveRules

    for encoding in _ENCODINGS:
        codecs.lookup(encoding)
    ledger = ConfigurationLedger(str(path.absolute()))
    # Create it before reading the file, to detect changes meanwhile.
    changes = Changes(path)
    return LiveRules(
        _loader(settings, path),
        partial(_compiled, settings),
        changes=changes,
        asked=hangups.take,
        ledger=ledger,
        tell=lambda configuration: _tell(configuration, notify, again=ledger.loaded > 1),
        complain=warner(notify),
    )


def _loader(settings: RecordingSettings, path: Path) -> Callable[[], Configuration]:
    # Import here, not when it is called: by then the account may not be allowed to.
    from procwire.recorder.images import with_images
    from procwire.sysmon.parse import load

    def read() -> Configuration:
        configuration = load(path, lenient=settings.lenient)
        return configuration if settings.images is None else with_images(configuration, settings.images)

    return read


def _compiled(settings: RecordingSettings, configuration: Configuration) -> ConfigFilter:
    from procwire.sysmon.config_filter import ConfigFilter

    return ConfigFilter(configuration, strict=settings.strict_sysmon, keep=settings.keep_unlogged)


def check_readable(path: Path, account: pwd.struct_passwd | None, notify: Notify) -> None:
    """Warn if the account that records cannot read the file, and so will not see it change."""
    try:
        # Not access(2), which ignores the capabilities that the poll sensor keeps.
        os.close(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK))
    except OSError as error:
        name = "it" if account is None else account.pw_name
        text = f"changes to {path} will not be seen: {name} cannot read it ({error.strerror})"
        notify(Notice("warning", text))


def _tell(configuration: Configuration, notify: Notify, *, again: bool) -> None:
    for line in described(configuration):
        notify(Notice("status", f"reloaded: {line}" if again else line))


def described(configuration: Configuration) -> list[str]:
    """Return a line about the applied parts of a configuration, and another if it logs nothing."""
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
        ("error", ("error skipped", "errors skipped")),
        ("warning", ("warning", "warnings")),
    ):
        count = sum(found.severity == severity for found in configuration.findings)
        parts += [counted(count, *words)] if count else []
    return f"; {', '.join(parts)} (procwire config check --notes {configuration.path})" if parts else ""


def _logs_nothing(configuration: Configuration) -> bool:
    includes = any(element.onmatch == "include" and element.operands for element in configuration.network_connect)
    return not includes and not configuration.logs_by_default
