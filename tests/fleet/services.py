"""List what machines do by themselves and for their users, except browsing: one row for each habit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from fleet.machines import ROLES, Role

__all__ = ["SERVICES", "Rhythm", "Service"]

Rhythm = Literal["steady", "office", "timer", "night", "rollout"]
"""steady: at any time; office: in working hours; timer: at a period; night: 1 to 4 h local time; rollout: the entire
fleet on the same days, within hours."""

_CLIENTS: tuple[Role, ...] = ("workstation",)
_SERVERS: tuple[Role, ...] = ROLES[1:]


@dataclass(frozen=True, slots=True)
class Service:
    """Describe a habit: `program` of machines in `roles` connects to `target`."""

    program: str
    target: str
    """A group of Endpoints. Of a role's machines each client has its own, of a vendor's addresses it takes any."""
    port: int
    roles: tuple[Role, ...]
    per_day: float
    """Occasions per machine that is on all day."""
    rhythm: Rhythm
    burst: float = 1
    """Connections per occasion, on average."""
    share: float = 1
    """Of the machines in these roles."""
    udp: bool = False
    client_port: int | None = None
    """Where it is not an ephemeral one."""
    sweeps: bool = False
    """Whether it takes any of a role's machines, too."""
    answers: str | None = None
    """Program of the target that logs the connection, too, as inbound. None for DNS: configurations leave it out."""


SERVICES: tuple[Service, ...] = (
    Service("dnscache", "domain-controller", 53, ROLES, 40, "steady", 2, udp=True),
    Service("dnscache", "domain-controller", 53, _CLIENTS, 50, "office", 3, udp=True),
    Service("dns", "forwarder", 53, ("domain-controller",), 2_000, "steady", 2, udp=True),
    Service("time", "domain-controller", 123, ROLES, 24, "timer", udp=True),
    Service("lsass", "domain-controller", 88, ROLES, 12, "steady", 2, answers="lsass"),
    Service("lsass", "domain-controller", 389, ROLES, 10, "steady", 2, answers="lsass"),
    Service("services", "domain-controller", 135, ROLES, 4, "steady", answers="services"),
    Service("services", "domain-controller", 49667, ROLES, 4, "steady", answers="lsass"),
    Service("system", "file-server", 445, _CLIENTS, 18, "office", 2, answers="system"),
    Service("system", "domain-controller", 445, ROLES, 10, "steady", answers="system"),
    Service("chrome", "web-server", 443, _CLIENTS, 10, "office", 3, answers="iis"),
    Service("iis", "database", 1433, ("web-server",), 400, "office", 2, answers="sql"),
    Service("backup", "backup", 10_006, _SERVERS, 3, "night", 25, answers="backup-server"),
    Service("monitor", "web-server", 10_051, _SERVERS, 288, "timer", answers="iis"),
    Service("edr", "edr", 443, ROLES, 144, "timer"),
    Service("services", "telemetry", 443, ROLES, 6, "timer", 2),
    Service("services", "updates", 443, ROLES, 4, "steady", 2),
    Service("services", "updates", 80, ROLES, 3, "rollout", 20),
    Service("browser-update", "browser-update", 443, _CLIENTS, 5, "timer", 2),
    Service("outlook", "office", 443, _CLIENTS, 60, "office", 2),
    Service("word", "office", 443, _CLIENTS, 6, "office", 4),
    Service("chat", "chat", 443, _CLIENTS, 288, "timer", share=0.8),
    Service("drive", "drive", 443, _CLIENTS, 96, "timer", share=0.7),
    # A department's software: periodic, rare in the fleet, and harmless.
    Service("vendor", "vendor", 443, _CLIENTS, 96, "timer", share=0.15),
    Service("spooler", "printer", 9100, _CLIENTS, 3, "office", share=0.5),
    Service("system", "subnet", 137, ROLES, 24, "steady", udp=True, client_port=137),
    Service("system", "subnet", 138, ROLES, 12, "steady", udp=True, client_port=138),
    Service("services", "broadcast", 67, _CLIENTS, 2, "steady", udp=True, client_port=68),
    Service("dnscache", "llmnr", 5355, ROLES, 12, "steady", 2, udp=True),
    Service("dnscache", "llmnr6", 5355, ROLES, 12, "steady", 2, udp=True),
    Service("chrome", "mdns", 5353, _CLIENTS, 10, "steady", udp=True, client_port=5353),
    Service("time", "ssdp", 1900, _CLIENTS, 24, "timer", 4, udp=True),
    # Harmless traffic that looks like an intruder: administrators, an inventory's nightly sweep, developers' servers,
    # Windows' own rundll32.
    Service("remote-desktop", "web-server", 3389, _CLIENTS, 2, "office", share=0.05, answers="services"),
    Service("powershell", "web-server", 5985, _CLIENTS, 2, "office", 2, share=0.03, answers="system"),
    Service("inventory", "workstation", 445, ("backup",), 150, "night", sweeps=True, answers="system"),
    Service("chrome", "workstation", 3000, _CLIENTS, 3, "office", 2, share=0.1, answers="node"),
    Service("rundll32", "telemetry", 443, _CLIENTS, 0.5, "office", share=0.4),
)
