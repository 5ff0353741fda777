"""Name single values for a recording of lines, by the rules of the enrichments of batches."""

from __future__ import annotations

from collections.abc import Callable

from procwire.enrich.containers import container_id
from procwire.enrich.hosts import HostNames
from procwire.enrich.users import UserNames

__all__ = ["Naming"]


class Naming:
    """Answer the core's questions while it writes.

    stamp: returns the prefix of a syslog line. logs: whether rows of an image are recorded. rules, keeps: see
    `recorder.deciding.Decisions`.
    """

    def __init__(
        self,
        users: UserNames,
        hosts: HostNames,
        stamp: Callable[[], str],
        logs: Callable[[str | None], bool] = lambda _: True,
        *,
        rules: Callable[[object], list[str | None]] | None = None,
        keeps: Callable[[object], bytes] | None = None,
    ) -> None:
        self._users = users
        self._hosts = hosts
        self._stamp = stamp
        self._logs = logs
        self._rules = rules
        self._keeps = keeps

    def user(self, uid: int) -> str | None:
        """Return the name of an account; None for a uid without one."""
        return self._users.name(uid)

    def host(self, address: str, is_own: bool, holder: int | None = None) -> tuple[str, str] | None:
        """Return the name of an address and its origin, or None.

        is_own: it is this machine's end in another network namespace. holder: the user whose connection needs the name.
        """
        name, origin = self._hosts.named(address, is_own=is_own, holder=holder)
        return None if name is None or origin is None else (name, origin)

    def container(self, cgroup: str) -> str | None:
        """Return the container of a control group; None outside of one."""
        return container_id(cgroup)

    def logs(self, image: str | None) -> bool:
        """Return whether rows of processes that run this image are recorded."""
        return self._logs(image)

    def stamp(self) -> str:
        """Return the current prefix of a syslog line."""
        return self._stamp()

    def rules(self, rows: object) -> list[str | None] | None:
        """Return what rules say of each row, see `recorder.deciding.Decisions`; None without rules."""
        return None if self._rules is None else self._rules(rows)

    def keeps(self, rows: object) -> bytes | None:
        """Return whether a predicate keeps each row, see `recorder.deciding.Decisions`; None without a predicate."""
        return None if self._keeps is None else self._keeps(rows)
