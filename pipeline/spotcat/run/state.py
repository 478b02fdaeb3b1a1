"""How far a run is, from its ledger and its drivers' events."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from spotcat.config import load_recipe
from spotcat.run.claim import is_running
from spotcat.run.events import chunk_results, is_open, read_events
from spotcat.run.folder import RunFolder, existing
from spotcat.run.prices import Now, estimate, learn, loaded_by
from spotcat.run.progress import hours
from spotcat.run.stages import catalog_attributes, is_current
from spotcat.run.survey import Work, load_work
from spotcat.status import InputError


@dataclass(frozen=True)
class Activity:
    """What the drivers' events say.

    Attributes:
        drivers: those alive.
        n_running: stars of the chunks that they have handed out.
        n_failed: stars whose fit failed.
        n_deadly: those of them that were left out because they killed their process or did not end.
        rate: stars that the drivers alive finish [1/s].
        n_workers: the processes that these work with, as far as they said.
        spent: by chunk that is handed out how long ago that was [s].
        results: by chunk what a driver noted when it was done.
        recent: those of them that drivers alive have done.
    """

    drivers: int = 0
    n_running: int = 0
    n_failed: int = 0
    n_deadly: int = 0
    rate: float = 0.0
    n_workers: int = 0
    spent: dict[str, float] = field(default_factory=dict)
    results: dict[str, dict[str, Any]] = field(default_factory=dict)
    recent: frozenset[str] = frozenset()


@dataclass(frozen=True)
class RunStatus:
    """How far a run is.

    Attributes:
        name: name of the survey.
        running: whether a driver is at work.
        n_stars: stars in the light-curve store; 0 before ingest.
        n_done: those whose chunk is done.
        n_chunks: chunks of the plan.
        chunks_done: those that the ledger has.
        seconds: time that workers spent on them [s].
        finished: whether the catalog holds all of it.
        changed: why the run cannot go on, or empty.
        activity: what its drivers do and what failed.
        left: time until all stars are fitted [s]; None where no driver is fitting.
    """

    name: str
    running: bool
    n_stars: int = 0
    n_done: int = 0
    n_chunks: int = 0
    chunks_done: int = 0
    seconds: float = 0.0
    finished: bool = False
    changed: str = ""
    activity: Activity = field(default_factory=Activity)
    left: float | None = None

    def lines(self) -> list[str]:
        """The status in words."""
        act = self.activity
        if self.finished:
            stage = "finished"
        elif not self.n_stars:
            stage = "nothing ingested yet"
        else:
            stage = (
                f"{self.n_done} of {self.n_stars} stars and {self.chunks_done} of {self.n_chunks} chunks "
                f"fitted in {self.seconds:.0f} s of work"
            )
        lines = [f"{self.name}: {stage}{'; at work' if self.running else ''}"]
        if act.n_running:
            lines.append(f"{act.n_running} stars at work under {act.drivers} drivers")
        if act.n_failed:
            again = "" if self.running else "; `spotcat run RECIPE --retry-failed` fits them again"
            lines.append(f"{act.n_failed} stars failed, {act.n_deadly} of them quarantined{again}")
        if self.left is not None:
            speed = f"{act.rate:.3g} stars/s so far, " if act.rate else ""
            lines.append(f"{speed}about {hours(self.left)} left")
        return [*lines, self.changed] if self.changed else lines


def status_of(run_folder: str | Path) -> RunStatus:
    """How far a run is; changes nothing and may be called while it works.

    Raises:
        InputError: there is no run in this folder.
    """
    folder = existing(run_folder)
    recipe = load_recipe(folder.recipe)
    begun = RunStatus(recipe.survey.name, is_running(folder))
    if not folder.store.exists():
        return begun
    work = load_work(folder, recipe)
    planned = [chunk for chunk in work.chunks if chunk.name in work.done]
    try:
        work.ledger.check()
        changed = ""
    except InputError as error:
        changed = str(error)
    acting = activity(folder, {chunk.name for chunk in planned})
    return replace(
        begun,
        n_stars=sum(len(chunk.star_ids) for chunk in work.chunks),
        n_done=sum(len(chunk.star_ids) for chunk in planned),
        n_chunks=len(work.chunks),
        chunks_done=len(planned),
        seconds=sum(work.done[chunk.name].seconds for chunk in planned),
        finished=not work.missing and is_current(folder, catalog_attributes(recipe, work)),
        changed=changed,
        activity=acting,
        left=_left(work, acting) if acting.n_workers else None,
    )


def _left(work: Work, acting: Activity) -> float:
    """Time until all stars are fitted [s]."""
    recent = {name: acting.results[name] for name in acting.recent}
    now = Now(acting.spent, loaded_by(work.chunks, recent))
    prices = learn(work.chunks, acting.results)
    return estimate(work.missing, {chunk.name for chunk in work.pilots}, prices, acting.n_workers, now).wall


def activity(folder: RunFolder, done: set[str]) -> Activity:
    """What a run's drivers do, and what failed in the chunks that are done."""
    drivers, n_workers, rate = 0, 0, 0.0
    results: dict[str, dict[str, Any]] = {}
    running: dict[str, dict[str, Any]] = {}
    recent: set[str] = set()
    for path in sorted(folder.events.glob("*.jsonl")):
        alive = is_open(path)
        events = read_events(path)
        own = chunk_results(events)
        results |= own
        if alive:
            out = _handed_out(events)
            drivers += 1
            rate += _rate(events)
            running |= out
            recent |= own.keys()
            # Workers may have joined since.
            n_workers += max([len(out), *(event["workers"] for event in events if event["event"] == "fitting")])
    known = [result for name, result in results.items() if name in done]
    failed, deadly = (sum(result[name] for result in known) for name in ("n_failed", "n_deadly"))
    return Activity(
        drivers,
        sum(event["stars"] for event in running.values()),
        failed,
        deadly,
        rate,
        n_workers,
        {name: _ago(event) for name, event in running.items()},
        results,
        frozenset(recent),
    )


def _handed_out(events: Iterable[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The chunks that a driver has handed out, with the events that say so."""
    out: dict[str, dict[str, Any]] = {}
    for event in events:
        if event["event"] == "chunk began":
            out[event["chunk"]] = event
        elif event["event"] in ("chunk done", "workers died"):
            out.pop(event["chunk"], None)
    return out


def _ago(event: dict[str, Any]) -> float:
    """Time since an event [s]."""
    return (datetime.now(UTC) - datetime.fromisoformat(event["time"])).total_seconds()


def _rate(events: Iterable[dict[str, Any]]) -> float:
    """Stars a second that a driver has finished since it handed out its first chunk."""
    chunks = [event for event in events if event["event"].startswith("chunk ")]
    if not chunks:
        return 0.0
    return sum(e["stars"] for e in chunks if e["event"] == "chunk done") / max(_ago(chunks[0]), 1e-3)
