"""How many chunks a second one driver can hand out and record, with fits that do nothing.

    python tests/benchmarks/scheduling.py [STARS] [CHUNK] [--smallest]

A survey of a million stars in chunks of 64 on 256 workers needs what is printed at the end: more workers than that, or
shorter chunks, wait for the driver.
"""

from __future__ import annotations

import tempfile
import time

import harness
import numpy as np

from spotcat.catalog.ledger import Ledger
from spotcat.config import FitConfig, Site
from spotcat.run.environment import prepared
from spotcat.run.events import recorded
from spotcat.run.executors import make_executor
from spotcat.run.folder import RunFolder
from spotcat.run.plan import Chunk, chunk_size, plan_chunks

WORKERS, SECONDS_A_STAR = 256, 0.1
N_CHUNKS, N_FIRST = 2000, 20


def fit_nothing(chunk: Chunk) -> tuple[str, int]:
    return chunk.name, len(chunk.star_ids)


def plan(n_stars: int, size: int) -> list[Chunk]:
    """Chunks of stars that are all alike."""
    table = {
        "star_id": np.arange(n_stars),
        "status": np.zeros(n_stars, "i1"),
        "span": np.full(n_stars, 27.0),
        "cadence": np.full(n_stars, 0.2),
        "n_segments": np.ones(n_stars, int),
    }
    return plan_chunks(table, FitConfig(), size)


def main() -> None:
    """Print the time to plan, the rate, and the memory of the driver, which has the scheduler inside."""
    parser = harness.parser(__doc__)
    parser.add_argument("stars", type=int, nargs="?", default=harness.size(1_000_000, 2_000))
    parser.add_argument("chunk", type=int, nargs="?", default=0, help="stars of a chunk; 0 is what a run takes")
    chosen = parser.parse_args()
    harness.heading()
    size = chosen.chunk or chunk_size(chosen.stars)
    begun = time.monotonic()
    chunks = plan(chosen.stars, size)
    planned = time.monotonic() - begun
    with tempfile.TemporaryDirectory() as scratch:
        folder = RunFolder(scratch)
        ledger = Ledger(folder.ledger, {"code": "none"})
        some = chunks[:N_CHUNKS]
        with (
            prepared(folder),
            recorded(folder.events) as events,
            make_executor(Site("local", workers=2), 2) as executor,
        ):
            list(executor.run(fit_nothing, some[:N_FIRST]))
            begun = time.monotonic()
            for name, stars in executor.run(fit_nothing, some):
                ledger.record(name, dict.fromkeys(range(stars), "0" * 18), "0" * 64, 0.0)
                events.note("chunk done", chunk=name, stars=stars)
            rate = len(some) / (time.monotonic() - begun)
    needed = WORKERS / (size * SECONDS_A_STAR)
    harness.head("what", "measured")
    harness.row(f"{chosen.stars:,} stars planned in {len(chunks):,} chunks [s]", f"{planned:.1f}")
    harness.row("chunks a second through two workers", f"{rate:.0f}")
    harness.row(f"the same over what {WORKERS} workers at {SECONDS_A_STAR} s a star need", f"{rate / needed:.1f}")
    harness.row("driver with scheduler [MiB]", f"{harness.peak_memory():.0f}")


if __name__ == "__main__":
    main()
