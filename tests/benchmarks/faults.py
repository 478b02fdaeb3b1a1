"""Runs that are killed: surveys that lose a process to SIGKILL at a random moment, until thirty have.

    python tests/benchmarks/faults.py [RUNS] [SEED] [--smallest]

Prints a Markdown table of the runs and what they add up to.  Three kinds of run: workers of this machine, a Dask
scheduler with workers that joined it, and two shares without a scheduler.  Victims: a worker, the nanny that watches
one, the scheduler, a driver.  A run that does not survive is started again, until it ends; its catalog must have the
bytes of the undisturbed run.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import harness
import numpy as np
import psutil
from run_surveys import content, spotcat, write_recipe, write_site, write_stars

FIT = harness.fit_toml(**harness.SMALLEST_FIT)
CASES = [
    ("local", "worker"),
    ("local", "driver"),
    ("scheduler", "worker"),
    ("scheduler", "nanny"),
    ("scheduler", "scheduler"),
    ("scheduler", "driver"),
    ("shares", "worker"),
    ("shares", "driver"),
]
WORKERS = harness.size(2, 1)
N_CHUNKS = 11


@dataclass
class Started:
    """The processes of a run: drivers, and what they need."""

    drivers: list[subprocess.Popen[bytes]]
    scheduler: subprocess.Popen[bytes] | None = None
    nannies: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def victims(self, kind: str) -> list[int]:
        """Processes of a kind that are alive."""
        if kind == "driver":
            return [driver.pid for driver in self.drivers if driver.poll() is None]
        if kind == "scheduler":
            return [self.scheduler.pid] if self.scheduler else []
        if kind == "nanny":
            return [nanny.pid for nanny in self.nannies]
        parents = self.nannies or self.drivers
        return [child.pid for parent in parents for child in _children(parent.pid) if "spawn_main" in _line(child)]

    def end(self) -> None:
        """End what the drivers left."""
        for process in (*self.drivers, *self.nannies, self.scheduler):
            if process is not None:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def _children(process: int) -> list[psutil.Process]:
    try:
        return psutil.Process(process).children(recursive=True)
    except psutil.Error:
        return []


def _line(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def start(kind: str, folder: Path, attempt: int) -> Started:
    """Start a run of a kind in a folder that has ``tiny.toml`` and ``site.toml``."""

    def begin(*command: object) -> subprocess.Popen[bytes]:
        log = (folder / f"log-{attempt}.txt").open("ab")
        words = [sys.executable, "-m", *map(str, command)]
        return subprocess.Popen(words, stdout=log, stderr=log, start_new_session=True)

    run = ("spotcat", "run", folder / "tiny.toml", "--site", folder / "site.toml")
    if kind == "local":
        return Started([begin(*run)])
    if kind == "shares":
        return Started([begin(*run, "--share", f"{number}/{WORKERS}") for number in range(1, WORKERS + 1)])
    file = folder / f"scheduler-{attempt}.json"
    scheduler = begin("distributed.cli.dask_scheduler", "--scheduler-file", file, "--port", 0, "--no-dashboard")
    worker = ("--nthreads", 1, "--memory-limit", 0, "--no-dashboard", "--preload", "spotcat.run.cluster")
    nannies = [begin("distributed.cli.dask_worker", "--scheduler-file", file, *worker) for _ in range(WORKERS)]
    return Started([begin(*run, "--scheduler-file", file)], scheduler, nannies)


def finish(kind: str, victim: str, folder: Path, random: np.random.Generator) -> tuple[int, float]:
    """Kill a victim at a random moment, start again until the run ends.

    The moment is up to two seconds after a random number of chunks is done, so that it falls into the run on a slow
    machine too.

    Returns:
        Attempts, and how long after the start something was killed [s]; 0 where the run had ended.
    """
    killed = 0.0
    n_done, delay = random.integers(0, N_CHUNKS), random.uniform(0, 2)
    for attempt in range(5):
        started = start(kind, folder, attempt)
        try:
            if attempt == 0:
                begun = time.monotonic()
                while len(events(folder / "run", "chunk done")) < n_done and started.victims("driver"):
                    time.sleep(0.02)
                time.sleep(delay)
                while not (found := started.victims(victim)) and started.victims("driver"):
                    time.sleep(0.02)
                if found:
                    os.kill(int(random.choice(found)), signal.SIGKILL)
                    killed = time.monotonic() - begun
            codes = [driver.wait(900) for driver in started.drivers]
        finally:
            started.end()
        if not any(codes):
            return attempt + 1, killed
    raise SystemExit(f"{folder}: did not end\n{(folder / 'log-4.txt').read_text()}")


def events(run: Path, name: str) -> list[dict[str, object]]:
    lines = [line for path in run.glob("events/*.jsonl") for line in path.read_text().splitlines()]
    return [event for event in map(json.loads, filter(_whole, lines)) if event["event"] == name]


def _whole(line: str) -> bool:
    return line.endswith("}")


def main() -> None:
    """Do runs until as many as wanted were killed, and print what came of all."""
    parser = harness.parser(__doc__)
    parser.add_argument("runs", type=int, nargs="?", default=harness.size(30, 1))
    parser.add_argument("seed", type=int, nargs="?", default=1)
    chosen = parser.parse_args()
    random = np.random.default_rng(chosen.seed)
    harness.heading()
    with tempfile.TemporaryDirectory() as scratch:
        base = Path(scratch)
        os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(base / "compiled"))
        write_stars(base / "stars")
        recipe = write_recipe(base / "tiny.toml", base / "stars", base / "run", FIT)
        done = spotcat("run", recipe, "--site", write_site(base / "site.toml", "local", WORKERS, 1), timeout=900)
        assert done.returncode == 0, done.stderr
        expected = content(base / "run" / "catalog.zarr")
        tally: Counter[str] = Counter()
        harness.head("run", "victim", "killed after [s]", "attempts", "chunks handed out again", "bytes")
        while tally["killed"] < chosen.runs:
            kind, victim = CASES[tally["runs"] % len(CASES)]
            folder = base / f"{tally['runs']}"
            folder.mkdir()
            write_recipe(folder / "tiny.toml", base / "stars", folder / "run", FIT)
            write_site(folder / "site.toml", "local", 1 if kind == "shares" else WORKERS, 1)
            attempts, killed = finish(kind, victim, folder, random)
            same = content(folder / "run" / "catalog.zarr") == expected
            again = len(events(folder / "run", "chunk began")) - N_CHUNKS
            tally += Counter(runs=1, same=same, killed=killed > 0, redone=again, too_many=again > WORKERS)
            when = f"{killed:.1f}" if killed else "over before"
            harness.row(kind, victim, when, attempts, again, "same" if same else "OTHER")
    print(
        f"\n{tally['same']} of {tally['runs']} runs end in the bytes of the undisturbed one; {tally['killed']} lost a "
        f"process; {tally['redone']} chunks were handed out again, in {tally['too_many']} runs more than {WORKERS}"
    )
    sys.exit(tally["same"] != tally["runs"])


if __name__ == "__main__":
    main()
