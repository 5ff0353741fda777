"""List the programs that connect: paths, accounts, and the lifetime of their processes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["PROGRAMS", "Life", "Program", "program_number"]

Life = Literal["boot", "logon", "run"]
"""A process lives since the machine's boot, since the user's logon, or for one occasion."""

SYSTEM, NETWORK, LOCAL = "NT AUTHORITY\\SYSTEM", "NT AUTHORITY\\NETWORK SERVICE", "NT AUTHORITY\\LOCAL SERVICE"
USER = ""
"""The machine's own user."""
_SYSTEM32 = "C:\\Windows\\System32\\"
_FILES = "C:\\Program Files\\"


@dataclass(frozen=True, slots=True)
class Program:
    """Describe a program under one account."""

    key: str
    image: str
    user: str
    life: Life


PROGRAMS: tuple[Program, ...] = (
    Program("system", "System", SYSTEM, "boot"),
    Program("dnscache", f"{_SYSTEM32}svchost.exe", NETWORK, "boot"),
    Program("time", f"{_SYSTEM32}svchost.exe", LOCAL, "boot"),
    Program("services", f"{_SYSTEM32}svchost.exe", SYSTEM, "boot"),
    Program("lsass", f"{_SYSTEM32}lsass.exe", SYSTEM, "boot"),
    Program("dns", f"{_SYSTEM32}dns.exe", SYSTEM, "boot"),
    Program("spooler", f"{_SYSTEM32}spoolsv.exe", SYSTEM, "boot"),
    Program("iis", f"{_SYSTEM32}inetsrv\\w3wp.exe", NETWORK, "boot"),
    Program("sql", f"{_FILES}Microsoft SQL Server\\MSSQL15.MSSQLSERVER\\MSSQL\\Binn\\sqlservr.exe", SYSTEM, "boot"),
    Program("edr", f"{_FILES}Guard\\GuardSensor.exe", SYSTEM, "boot"),
    Program("monitor", f"{_FILES}Monitor\\monitor_agent.exe", SYSTEM, "boot"),
    Program("backup", f"{_FILES}Backup\\backup_agent.exe", SYSTEM, "run"),
    Program("backup-server", f"{_FILES}Backup\\backup_server.exe", SYSTEM, "boot"),
    Program("browser-update", "C:\\Program Files (x86)\\Google\\Update\\GoogleUpdate.exe", SYSTEM, "run"),
    Program("vendor", f"{_FILES}Ledgerline\\sync.exe", SYSTEM, "boot"),
    Program("chrome", f"{_FILES}Google\\Chrome\\Application\\chrome.exe", USER, "logon"),
    Program("edge", "C:\\Program Files (x86)\\Microsoft\\Edge\\Application\\msedge.exe", USER, "logon"),
    Program("outlook", f"{_FILES}Microsoft Office\\root\\Office16\\OUTLOOK.EXE", USER, "logon"),
    Program("word", f"{_FILES}Microsoft Office\\root\\Office16\\WINWORD.EXE", USER, "run"),
    Program("chat", "C:\\Program Files\\WindowsApps\\MSTeams\\ms-teams.exe", USER, "logon"),
    Program("drive", f"{_FILES}Microsoft OneDrive\\OneDrive.exe", USER, "logon"),
    Program("remote-desktop", f"{_SYSTEM32}mstsc.exe", USER, "run"),
    Program("node", f"{_FILES}nodejs\\node.exe", USER, "logon"),
    Program("inventory", f"{_FILES}Inventory\\discovery.exe", SYSTEM, "boot"),
    # Only planted rows use the programs below, except an administrator's PowerShell and Windows' own rundll32.
    Program("powershell", f"{_SYSTEM32}WindowsPowerShell\\v1.0\\powershell.exe", USER, "run"),
    Program("rundll32", f"{_SYSTEM32}rundll32.exe", USER, "run"),
    Program("regsvr32", f"{_SYSTEM32}regsvr32.exe", USER, "run"),
    Program("mshta", f"{_SYSTEM32}mshta.exe", USER, "run"),
    Program("certutil", f"{_SYSTEM32}certutil.exe", USER, "run"),
    Program("cmd", f"{_SYSTEM32}cmd.exe", USER, "run"),
    Program("notepad", f"{_SYSTEM32}notepad.exe", USER, "run"),
    Program("implant", "C:\\Users\\Public\\Libraries\\adobe_sync.exe", USER, "run"),
    Program("scanner", "C:\\Users\\Public\\Downloads\\netscan.exe", USER, "run"),
    Program("netcat", "C:\\Users\\Public\\nc64.exe", USER, "run"),
    Program("flood", "C:\\ProgramData\\poll\\poller.exe", SYSTEM, "run"),
)

_NUMBERS = {program.key: number for number, program in enumerate(PROGRAMS)}


def program_number(key: str) -> int:
    """Return a program's number in PROGRAMS."""
    return _NUMBERS[key]
