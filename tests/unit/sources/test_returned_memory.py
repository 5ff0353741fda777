"""What a recorder gives back of its memory is what it does not need, or can have again."""

from __future__ import annotations

import subprocess
import sys

from procwire.sources.memory import _unwritten_code

SMAPS = """\
7f0000000000-7f0000002000 r-xp 00001000 fe:00 54 /usr/lib/libarrow.so.2600
Size:                  8 kB
Rss:                   8 kB
Anonymous:             0 kB
VmFlags: rd ex mr mw me
7f0000002000-7f0000003000 r--p 00003000 fe:00 54                 /usr/lib/a folder/libarrow.so.2600
Rss:                   4 kB
Anonymous:             4 kB
VmFlags: rd mr mw me
7f0000003000-7f0000004000 r--p 00003000 fe:00 54                 /usr/lib/a folder/libarrow.so.2600
Rss:                   4 kB
Anonymous:             0 kB
7f0000004000-7f0000005000 rw-p 00004000 fe:00 54                 /usr/lib/libarrow.so.2600
Anonymous:             0 kB
7f0000005000-7f0000006000 r--s 00000000 fe:00 55                 /usr/lib/shared.so
Anonymous:             0 kB
7f0000006000-7f0000007000 r--p 00000000 fe:00 56                 /var/lib/some.data
Anonymous:             0 kB
7f0000007000-7f0000008000 rw-p 00000000 00:00 0                  [heap]
Anonymous:             0 kB
"""


def test_only_code_that_was_never_written_is_let_go() -> None:
    """What was relocated would come back as it is in the file."""
    assert list(_unwritten_code(SMAPS)) == [(0x7F0000000000, 0x2000), (0x7F0000003000, 0x1000)]


def test_everything_works_after() -> None:
    script = """
import pathlib, threading
import pyarrow as pa, pyarrow.parquet as pq, deltalake, duckdb
from procwire import _core
from procwire.sources.memory import keep_memory_small, return_memory, return_unused

keep_memory_small()

def used():
    return int(pathlib.Path("/proc/self/statm").read_text().split()[1])

def work():
    for _ in range(20):
        table = pa.table({"a": list(range(1000))})
        assert duckdb.sql("SELECT sum(a) FROM table").fetchone() == (499_500,)

threads = [threading.Thread(target=work) for _ in range(2)]
before = used()
return_memory()
print(used() < before)
for thread in threads:
    thread.start()
for _ in range(50):
    return_unused()
for thread in threads:
    thread.join()
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "True\n"), done.stderr
