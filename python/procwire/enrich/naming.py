"""Names for a recording of lines, one value at a time: the rules are those of the enrichments of batches."""

from __future__ import annotations

from collections.abc import Callable

from procwire.enrich.containers import container_id
from procwire.enrich.hosts import HostNames
from procwire.enrich.users import UserNames

__all__ = ["Naming"]


class Naming:
    """Is asked by the core while it writes.

    stamp: gives what stands in front of a line of syslog. logs: whether rows of an image are recorded. rules, keeps:
    see `recorder.deciding.Decisions`.
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
        """The name of an account."""
        return self._users.name(uid)

    def host(self, address: str, is_own: bool) -> tuple[str, str] | None:
        """The name of an address and its origin; is_own: it is this machine's end in another network namespace."""
        name, origin = self._hosts.named(address, is_own=is_own)
        return None if name is None or origin is None else (name, origin)

    def container(self, cgroup: str) -> str | None:
        """The container of a control group."""
        return container_id(cgroup)

    def logs(self, image: str | None) -> bool:
        """Whether rows of processes that run this image are recorded."""
        return self._logs(image)

    def stamp(self) -> str:
        """What stands in front of a line of syslog now."""
        return self._stamp()

    def rules(self, rows: object) -> list[str | None] | None:
        """What rules say of each row, see `recorder.deciding.Decisions`."""
        return None if self._rules is None else self._rules(rows)

    def keeps(self, rows: object) -> bytes | None:
        """Whether a predicate keeps each row, likewise."""
        return None if self._keeps is None else self._keeps(rows)
