"""What a run took: time by stage, use of its workers, failures by reason, versions and hashes."""

from __future__ import annotations

import json
import os
import platform
from collections import Counter
from importlib.metadata import version
from pathlib import Path
from typing import Any

from spotcat import __version__
from spotcat.run.events import chunk_results, read_events
from spotcat.run.folder import RunFolder
from spotcat.run.prices import learn
from spotcat.run.survey import Work

_LIBRARIES = ("jax", "jaxlib", "numpy", "scipy", "dask", "distributed", "xarray", "zarr", "astropy", "lightkurve")
_STAGES = {"ingested": "ingest", "fitted": "fit", "finalised": "finalise"}


def write_account(folder: RunFolder, work: Work) -> None:
    """Write the report of a run whose catalog is finished.

    Raises:
        RunError: it cannot be written.
    """
    from spotcat.atomic import write_file

    write_file(folder.report, (json.dumps(account(folder, work), indent=1, sort_keys=True) + "\n").encode())


def account(folder: RunFolder, work: Work) -> dict[str, Any]:
    """The report of a run, from its drivers' events and its catalog.

    Returns:
        Times in seconds, summed over the drivers that reached the end of a stage.  ``utilisation`` is the fraction
        of the fit's time that its workers spent on chunks; ``handed_out_again`` counts the chunks that a driver
        began and did not see done.  ``forecast`` is what the first driver expected: worker seconds, and memory of a
        worker [MiB], bytes and files in the end.
    """
    from spotcat.catalog.query import open_catalog

    events = [event for path in sorted(folder.events.glob("*.jsonl")) for event in read_events(path)]
    counts = Counter(event["event"] for event in events)
    fits = [event for event in events if event["event"] == "fitted"]
    done = [event for event in events if event["event"] == "chunk done"]
    offered = sum(event["wall"] * event["workers"] for event in fits)
    walked = list(os.walk(folder.path))
    reason = open_catalog(folder.catalog).column("reason")
    return {
        "stars": len(reason),
        "chunks": len(work.chunks),
        "reasons": dict(Counter(filter(None, reason.tolist())).most_common()),
        "drivers": counts["began"],
        "handed_out_again": counts["chunk began"] - counts["chunk done"],
        "seconds": {
            stage: round(sum(event["wall"] for event in events if event["event"] == name), 1)
            for name, stage in _STAGES.items()
        },
        "worker_seconds": round(sum(event["seconds"] for event in done), 1),
        "forecast": next((_forecast(event) for event in events if event["event"] == "forecast"), None),
        "disk": sum((Path(parent) / file).stat().st_size for parent, _, files in walked for file in files),
        "files": sum(len(files) for _, _, files in walked),
        "utilisation": round(sum(event["work"] for event in fits) / offered, 3) if offered else None,
        "worker_memory_mib": max((event["memory"] for event in done), default=None),
        "programs_compiled": sum(event["compiled"] for event in done),
        "program_seconds": _program_seconds(work, done),
        "padding": round(work.padding, 3),
        "versions": {name: version(name) for name in _LIBRARIES}
        | {"spotcat": __version__, "python": platform.python_version()},
        "hashes": work.hashes,
    }


def _program_seconds(work: Work, done: list[dict[str, Any]]) -> dict[str, float]:
    """What this run's programs cost each, to compile and to load; a stored price where it did not do so."""
    prices = learn(work.chunks, chunk_results(done))
    return {"compiled": round(prices.compiled, 1), "read_back": round(prices.read_back, 1)}


def _forecast(event: dict[str, Any]) -> dict[str, float]:
    return {name: round(event[name], 1) for name in ("worker_seconds", "memory", "disk", "files")}
