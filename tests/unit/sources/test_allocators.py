"""A recorder lets allocators give back what is freed; the environment has the last word."""

from __future__ import annotations

import subprocess
import sys

CODE = """
import os, threading
from procwire.sources.memory import keep_memory_small, return_memory
keep_memory_small()
import pyarrow
print(pyarrow.default_memory_pool().backend_name, flush=True)
held = [bytes(1000) for _ in range(100_000)]
def resident_kb():
    return int(open("/proc/self/status").read().partition("VmRSS:")[2].split()[0])
before = resident_kb()
del held
return_memory()
print(before - resident_kb() > 50_000)
"""


def answers(environment: dict[str, str]) -> list[str]:
    done = subprocess.run([sys.executable, "-c", CODE], env=environment, capture_output=True, text=True, check=True)
    return done.stdout.split()


def test_memory_goes_back_to_the_system() -> None:
    assert answers({}) == ["system", "True"]


def test_environment_chooses_arrows_pool() -> None:
    assert answers({"ARROW_DEFAULT_MEMORY_POOL": "jemalloc"})[0] != "mimalloc"
    assert answers({"ARROW_DEFAULT_MEMORY_POOL": "mimalloc"})[0] == "mimalloc"
