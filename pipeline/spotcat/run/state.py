"""How far a run is, from its ledger and its drivers' events."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from spotcat.config import load_recipe
from spotcat.run.events import is_open, read_events
from spotcat.run.folder import RunFolder, existing, is_running
from spotcat.run.progress import hours
from spotcat.run.stages import catalog_attributes, is_current
from spotcat.run.survey import load_work
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
    """

    drivers: int = 0
    n_running: int = 0
    n_failed: int = 0
    n_deadly: int = 0
    rate: float = 0.0


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

    @property
    def left(self) -> float | None:
        """Time until all stars are fitted [s]; None where no driver has finished a chunk."""
        rate = self.activity.rate
        return (self.n_stars - self.n_done) / rate if rate > 0 else None

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
            lines.append(f"{act.n_failed} stars failed, {act.n_deadly} of them quarantined")
        if self.left is not None:
            lines.append(f"{act.rate:.3g} stars/s, {hours(self.left)} left")
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
    return replace(
        begun,
        n_stars=sum(len(chunk.star_ids) for chunk in work.chunks),
        n_done=sum(len(chunk.star_ids) for chunk in planned),
        n_chunks=len(work.chunks),
        chunks_done=len(planned),
        seconds=sum(work.done[chunk.name].seconds for chunk in planned),
        finished=not work.missing and is_current(folder, catalog_attributes(recipe, work)),
        changed=changed,
        activity=activity(folder, {chunk.name for chunk in planned}),
    )


def activity(folder: RunFolder, done: set[str]) -> Activity:
    """What a run's drivers do, and what failed in the chunks that are done."""
    drivers, n_running, rate = 0, 0, 0.0
    results: dict[str, dict[str, Any]] = {}
    for path in sorted(folder.events.glob("*.jsonl")):
        alive = is_open(path)
        events = read_events(path)
        results |= {event["chunk"]: event for event in events if event["event"] == "chunk done"}
        if alive:
            drivers += 1
            n_running += _at_work(events)
            rate += _rate(events)
    known = [result for name, result in results.items() if name in done]
    failed, deadly = (sum(result[name] for result in known) for name in ("n_failed", "n_deadly"))
    return Activity(drivers, n_running, failed, deadly, rate)


def _at_work(events: Iterable[dict[str, Any]]) -> int:
    """Stars of the chunks that a driver has handed out."""
    out: dict[str, int] = {}
    for event in events:
        if event["event"] == "chunk began":
            out[event["chunk"]] = event["stars"]
        elif event["event"] in ("chunk done", "workers died"):
            out.pop(event["chunk"], None)
    return sum(out.values())


def _rate(events: Iterable[dict[str, Any]]) -> float:
    """Stars a second that a driver has finished since it handed out its first chunk."""
    chunks = [event for event in events if event["event"].startswith("chunk ")]
    if not chunks:
        return 0.0
    spent = datetime.now(UTC) - datetime.fromisoformat(chunks[0]["time"])
    return sum(e["stars"] for e in chunks if e["event"] == "chunk done") / max(spent.total_seconds(), 1e-3)
