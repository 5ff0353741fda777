"""Ten thousand connections of many kinds at random: each exactly once, and of the right process."""

from __future__ import annotations

import random

from namespaces import Host
from recording import Recording


def test_ten_thousand_at_random(recording: Recording, host: Host) -> None:
    seed = random.SystemRandom().randrange(1 << 32)
    # For whoever wants the same again: python -m traffic mix.run SEED 10000
    print(f"seed {seed}")  # noqa: T201
    truth = host.run("mix.run", seed, 10_000)
    assert len(truth) > 15_000
    recording.expect(truth, host)
