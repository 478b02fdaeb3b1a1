"""How many chunks a second one driver can hand out and record, with fits that do nothing.

    python tests/benchmarks/scheduling.py [STARS] [BATCH]

A survey of a million stars in chunks of 64 on 256 workers needs what is printed at the end: more workers than that, or
shorter chunks, wait for the driver.
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time

import numpy as np

from spotcat.catalog.ledger import Ledger
from spotcat.config import FitConfig, Site
from spotcat.run.environment import prepared
from spotcat.run.events import recorded
from spotcat.run.executors import make_executor
from spotcat.run.folder import RunFolder
from spotcat.run.plan import Chunk, plan_chunks

WORKERS, SECONDS_A_STAR = 256, 0.1


def fit_nothing(chunk: Chunk) -> tuple[str, int]:
    return chunk.name, len(chunk.star_ids)


def main(n_stars: int = 1_000_000, batch: int = 64) -> None:
    """Print the time to plan, the rate, and the memory of the driver, which has the scheduler inside."""
    table = {
        "star_id": np.arange(n_stars),
        "status": np.zeros(n_stars, "i1"),
        "span": np.full(n_stars, 27.0),
        "cadence": np.full(n_stars, 0.2),
        "n_segments": np.ones(n_stars, int),
    }
    begun = time.monotonic()
    chunks = plan_chunks(table, FitConfig(batch=batch))
    print(f"{n_stars} stars in {len(chunks)} chunks, planned in {time.monotonic() - begun:.1f} s")
    with tempfile.TemporaryDirectory() as scratch:
        folder = RunFolder(scratch)
        ledger = Ledger(folder.ledger, {"code": "none"})
        some = chunks[:2000]
        with (
            prepared(folder),
            recorded(folder.events) as events,
            make_executor(Site("local", workers=2), 2) as executor,
        ):
            list(executor.run(fit_nothing, some[:20]))
            begun = time.monotonic()
            for name, stars in executor.run(fit_nothing, some):
                ledger.record(name, dict.fromkeys(range(stars), "0" * 18), "0" * 64, 0.0)
                events.note("chunk done", chunk=name, stars=stars)
            rate = len(some) / (time.monotonic() - begun)
    needed = WORKERS / (batch * SECONDS_A_STAR)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{rate:.0f} chunks a second through two workers; driver with scheduler {memory:.0f} MiB")
    print(
        f"{WORKERS} workers at {SECONDS_A_STAR} s a star need {needed:.0f} chunks a second: {rate / needed:.1f} times"
    )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
