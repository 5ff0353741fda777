"""Show what a damaged copy of a log still contains, and what it has lost."""

import tempfile
from pathlib import Path

import procwire

log = Path("examples/sysmon.evtx").read_bytes()

with tempfile.TemporaryDirectory() as folder:
    damaged = Path(folder, "damaged.evtx")
    # Overwrite the header of a chunk, and truncate the file within the records of another.
    chunk_7, chunk_21 = 4096 + 7 * 65536, 4096 + 21 * 65536
    damaged.write_bytes(log[:chunk_7] + bytes(128) + log[chunk_7 + 128 : chunk_21 + 30_000])
    for recover in (False, True):
        ledger = procwire.Ledger()
        table = procwire.read(damaged, recover=recover, ledger=ledger)
        print(f"{'with' if recover else 'without'} recovery: {table.num_rows} connections")
        for file in ledger.files:
            for kind, tally in file.damage.items():
                print(f"  {tally.count} × {kind}, first at {tally.examples[0]}")
