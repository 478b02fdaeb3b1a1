"""What a run will take, before it is submitted."""

from __future__ import annotations

import os
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any

from spotcat.config import Recipe, Site, seconds
from spotcat.run.cluster import n_workers
from spotcat.run.events import chunk_results, read_events
from spotcat.run.folder import RunFolder, existing
from spotcat.run.prices import Estimate, estimate, learn
from spotcat.run.progress import hours
from spotcat.run.script import workers_on_a_node
from spotcat.run.survey import Work, load_work

_MEMORY = 2048
"""What a worker may need where nothing was measured [MiB]."""

_ROW = 700
"""Bytes of a catalog row without its arrays."""

_CATALOG_FILES = 200
"""Files of a catalog of up to 65,536 stars, a few for each column."""


@dataclass(frozen=True)
class Forecast:
    """What a run will take.

    Attributes:
        n_stars: stars of the survey.
        n_fitted: those that are fitted.
        n_buckets: grids that they are fitted on.
        n_chunks: chunks, and those that are not done.
        padding: fraction of the grids that lies beyond the light curves.
        programs: programs that are not compiled.
        estimate: the time that what is not done will take.
        measured: chunks that this time comes from; 0 is the stored benchmark.
        memory: of a worker [MiB].
        n_nodes: nodes of the site.
        n_workers: worker processes on all of them.
        walltime: of a job [s]; 0 without jobs.
        disk: of the finished run [bytes].
        n_files: of the finished run.
    """

    n_stars: int
    n_fitted: int
    n_buckets: int
    n_chunks: tuple[int, int]
    padding: float
    programs: int
    estimate: Estimate
    measured: int
    memory: int
    n_nodes: int
    n_workers: int
    walltime: int
    disk: int
    n_files: int

    def figures(self) -> dict[str, float]:
        """What the run report compares with what was measured."""
        return {"worker_seconds": self.estimate.work, "memory": self.memory, "disk": self.disk, "files": self.n_files}

    def lines(self) -> list[str]:
        """The forecast in words."""
        source = f"from {self.measured} chunks of this run" if self.measured else "from the stored benchmark"
        work, wall = self.estimate.work, self.estimate.wall
        lines = [
            f"{self.n_stars} stars, {self.n_fitted} of them fitted in {self.n_buckets} buckets; "
            f"{100 * self.padding:.0f} % of the grids is padding",
            f"{self.n_chunks[0]} chunks, {self.n_chunks[1]} of them not done; "
            f"about {self.programs} programs to compile",
            f"{hours(work)} of work ({source}), {hours(self.estimate.programs)} of it to compile and load programs: "
            f"{hours(wall)} on {self.n_workers} workers, {wall * self.n_nodes / 3600:.2g} node-hours",
            f"{self.memory} MiB for each worker; {self.disk / 2**20:.0f} MiB in {self.n_files} files in the end",
        ]
        if self.walltime and wall > self.walltime:
            lines.append(f"more than the walltime: about {ceil(wall / self.walltime) - 1} requeues")
        return lines


def forecast(recipe: Recipe, site: Site) -> Forecast:
    """What the rest of an ingested survey will take on a site.

    Raises:
        InputError: there is no run, nothing is ingested, or settings, code or input changed since.
    """
    folder = existing(recipe.survey.output)
    work = load_work(folder, recipe, site.platform, site.chunk)
    work.ledger.check()
    return forecast_of(folder, work, recipe, site)


def forecast_of(folder: RunFolder, work: Work, recipe: Recipe, site: Site) -> Forecast:
    """What the rest of a survey will take whose work is at hand; `folder` is its run folder."""
    fitted = [chunk for chunk in work.chunks if chunk.spec]
    slurm = site.slurm
    jobs = bool(slurm.shape)
    results = results_of(folder)
    prices = learn(work.chunks, results)
    n = slurm.nodes * workers_on_a_node(site) if jobs else n_workers(site)
    return Forecast(
        n_stars=sum(len(chunk.star_ids) for chunk in work.chunks),
        n_fitted=sum(len(chunk.star_ids) for chunk in fitted),
        n_buckets=len({chunk.spec for chunk in fitted}),
        n_chunks=(len(work.chunks), len(work.missing)),
        padding=work.padding,
        programs=round(sum(prices.count(chunk.spec) for chunk in work.pilots if chunk.spec)),
        estimate=estimate(work.missing, {chunk.name for chunk in work.pilots}, prices, n),
        measured=len(prices.grids),
        memory=max((int(result["memory"]) for result in results.values()), default=_MEMORY),
        n_nodes=slurm.nodes if jobs else 1,
        n_workers=n,
        walltime=seconds(slurm.walltime) if jobs else 0,
        disk=_disk(folder, work, recipe.fit.n_period),
        n_files=sum(len(files) for _, _, files in os.walk(folder.store)) + 2 * len(work.chunks) + _CATALOG_FILES,
    )


def results_of(folder: RunFolder) -> dict[str, dict[str, Any]]:
    """What the drivers of a run noted of chunks that are done."""
    return chunk_results(event for path in sorted(folder.events.glob("*.jsonl")) for event in read_events(path))


def _disk(folder: RunFolder, work: Work, n_period: int) -> int:
    """Bytes of store, parts and catalog."""
    store = sum((Path(parent) / file).stat().st_size for parent, _, files in os.walk(folder.store) for file in files)
    n_stars = sum(len(chunk.star_ids) for chunk in work.chunks)
    # Parts and catalog hold the same; the periodogram is single precision.
    return store + 2 * n_stars * (_ROW + 4 * n_period)
