"""The stages of a run: ingest, fit, finalise.

Each can be started again at any time and does what is missing.  The process that runs them, the driver, is the
only one that writes the ledger, and imports JAX only where the executor is serial.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spotcat import __version__
from spotcat.config import Recipe, Site, digest, load_recipe
from spotcat.run.executors import Executor, WorkerDied, make_executor, prepared
from spotcat.run.folder import RunFolder, existing, is_running, owned
from spotcat.run.mapping import mapping
from spotcat.run.progress import LOG, Progress, logged
from spotcat.status import InputError, RunError, Status

if TYPE_CHECKING:
    from spotcat.catalog.ledger import Entry, Ledger
    from spotcat.run.plan import Chunk


@dataclass(frozen=True)
class CatalogSummary:
    """A finished catalog: where it is, its stars, and how many have each status."""

    path: Path
    n_stars: int
    statuses: dict[str, int]


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
    """

    name: str
    running: bool
    n_stars: int
    n_done: int
    n_chunks: int
    chunks_done: int
    seconds: float
    finished: bool
    changed: str


@dataclass(frozen=True)
class _Work:
    """The plan of a survey and what the ledger says of it."""

    chunks: list[Chunk]
    ledger: Ledger
    done: dict[str, Entry]
    padding: float

    @property
    def missing(self) -> list[Chunk]:
        return [chunk for chunk in self.chunks if chunk.name not in self.done]


def run_survey(recipe: Recipe, site: Site) -> CatalogSummary:
    """Do everything from light curves to catalog that is not done yet.

    Args:
        recipe: what to run.
        site: where to run it.

    Raises:
        InputError: the input or the run folder is not usable, or another recipe's.
        RunError: the run could not be finished; starting it again goes on.
    """
    with _driving(recipe) as folder:
        _ingest(folder, recipe, site)
        _fit(folder, recipe, site)
        return _finalise(folder, recipe)


def ingest_stage(recipe: Recipe, site: Site | None = None, append: bool = False) -> None:
    """Read the recipe's light curves into the run's store.

    Args:
        recipe: what to read.
        site: where to run; this process if None.
        append: add files that the store does not have yet.

    Raises:
        InputError: the input or the run folder is not usable.
        RunError: the store cannot be written.
    """
    with _driving(recipe) as folder:
        _ingest(folder, recipe, site or Site("serial"), append)


def fit_stage(recipe: Recipe, site: Site) -> None:
    """Fit the stars of an ingested survey that are not fitted yet.

    Raises:
        InputError: nothing is ingested, or settings, code or input changed since the run began.
        RunError: the fit could not be finished; starting it again goes on.
    """
    with _driving(recipe) as folder:
        _fit(folder, recipe, site)


def finalise_stage(recipe: Recipe) -> CatalogSummary:
    """Join the fitted chunks of a survey into its catalog.

    Raises:
        InputError: chunks are missing.
        RunError: a part is damaged, or the catalog cannot be written.
    """
    with _driving(recipe) as folder:
        return _finalise(folder, recipe)


def status_of(run_folder: str | Path) -> RunStatus:
    """How far a run is; changes nothing and may be called while it works.

    Raises:
        InputError: there is no run in this folder.
    """
    folder = existing(run_folder)
    recipe = load_recipe(folder.recipe)
    begun = RunStatus(recipe.survey.name, is_running(folder), 0, 0, 0, 0, 0.0, False, "")
    if not folder.store.exists():
        return begun
    work = _work(folder, recipe)
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
        finished=not work.missing and _is_current(folder, _attributes(recipe, work)),
        changed=changed,
    )


@contextmanager
def _driving(recipe: Recipe) -> Iterator[RunFolder]:
    with owned(recipe) as folder, logged(folder.log), prepared(folder):
        LOG.debug("spotcat %s on survey %r", __version__, recipe.survey.name)
        yield folder


def _ingest(folder: RunFolder, recipe: Recipe, site: Site, append: bool = False) -> None:
    from spotcat.ingest.pipeline import ingest

    with Progress("ingest", "files", 0) as progress, mapping(site) as mapper:
        summary = ingest(recipe, folder.store, progress.update, mapper, append)
    LOG.info(
        "ingest: %d stars, %d of them fit for a search%s",
        summary.n_stars,
        summary.n_usable,
        " (done before)" if summary.kept else f"; {summary.n_left_out} of {summary.n_files} files left out",
    )
    if summary.reasons and not summary.kept:
        LOG.info("ingest: left out: %s", "; ".join(f"{count} {reason}" for reason, count in summary.reasons.items()))


def _work(folder: RunFolder, recipe: Recipe) -> _Work:
    from spotcat.catalog.ledger import Ledger
    from spotcat.ingest.store import LightCurveStore
    from spotcat.run.fingerprint import fingerprint
    from spotcat.run.plan import padding, plan_chunks

    store = LightCurveStore(folder.store)
    ledger = Ledger(folder.ledger, fingerprint(recipe, store.input_hash))
    chunks = plan_chunks(store.stars, recipe.fit)
    return _Work(chunks, ledger, ledger.done(), padding(chunks, store.stars))


def _fit(folder: RunFolder, recipe: Recipe, site: Site) -> None:
    from spotcat.run.work import process_chunk

    work = _work(folder, recipe)
    work.ledger.check()
    work.ledger.sweep()
    if not work.missing:
        LOG.info("fit: %d chunks (done before)", len(work.chunks))
        return
    n_stars = sum(len(chunk.star_ids) for chunk in work.chunks)
    n_missing = sum(len(chunk.star_ids) for chunk in work.missing)
    process = partial(process_chunk, folder.path)
    suspects: list[Chunk] = []
    compiled = read_back = 0
    with (
        Progress("fit", "stars", n_stars, n_stars - n_missing) as progress,
        make_executor(site, len(work.missing)) as executor,
    ):

        def record(outcome: Any) -> None:
            nonlocal compiled, read_back
            compiled, read_back = compiled + outcome.compiled, read_back + outcome.read_back
            work.ledger.record(outcome.name, outcome.n_stars, outcome.checksum, outcome.seconds)
            progress.add(outcome.n_stars)

        for outcome in executor.run(process, work.missing):
            if isinstance(outcome, WorkerDied):
                suspects.append(outcome.item)
            else:
                record(outcome)
        for chunk in suspects:
            record(_process_suspect(executor, process, folder, chunk))
    LOG.info("fit: %d chunks, %d stars", len(work.missing), n_missing)
    n_buckets = len({chunk.spec for chunk in work.missing if chunk.spec})
    LOG.info("fit: %d buckets, %d programs compiled, %d read back", n_buckets, compiled, read_back)
    LOG.info("fit: %.0f %% of the search grids is padding", 100 * work.padding)


def _process_suspect(executor: Executor, process: Callable[[Chunk], Any], folder: RunFolder, chunk: Chunk) -> Any:
    """Process a chunk whose workers died, with no other at work that could be to blame."""
    from spotcat.run.work import find_deadly, try_fit

    def alone(fn: Callable[[Chunk], Any], part: Chunk) -> Any:
        (outcome,) = executor.run(fn, [part])
        return outcome

    outcome = alone(process, chunk)
    if not isinstance(outcome, WorkerDied):
        return outcome
    LOG.info("fit: %s kills its worker processes; looking for the stars that do", chunk.name)
    attempt = partial(try_fit, folder.path)
    deadly = find_deadly(lambda part: not isinstance(alone(attempt, part), WorkerDied), chunk)
    outcome = alone(process, replace(chunk, deadly=deadly))
    if isinstance(outcome, WorkerDied):
        raise RunError(f"{chunk.name} kills its worker processes, but no star of it does; use fewer workers")
    return outcome


def _finalise(folder: RunFolder, recipe: Recipe) -> CatalogSummary:
    from spotcat.catalog.finalise import finalise

    work = _work(folder, recipe)
    work.ledger.check()
    if work.missing:
        raise InputError(
            f"{folder.path}: {len(work.missing)} of {len(work.chunks)} chunks are not fitted; run `spotcat fit` first"
        )
    attributes = _attributes(recipe, work)
    if _is_current(folder, attributes):
        LOG.info("finalise: %s (done before)", folder.catalog)
    else:
        n_stars = finalise([work.ledger.part(chunk.name) for chunk in work.chunks], folder.catalog, attributes)
        LOG.info("finalise: %d stars in %s", n_stars, folder.catalog)
    return _summary(folder.catalog)


def _attributes(recipe: Recipe, work: _Work) -> dict[str, Any]:
    """Attributes of the catalog; equal ones tell that a catalog was made of these very parts."""
    specs = [chunk.spec for chunk in work.chunks if chunk.spec is not None]
    return {
        "survey": recipe.survey.name,
        "seed": recipe.survey.seed,
        "spotcat_version": __version__,
        "fit_parameters": list(specs[0].layout(recipe.fit).names) if specs else [],
        **{f"{name}_hash": value for name, value in work.ledger.fingerprint.items()},
        "parts_hash": digest([[chunk.name, work.done[chunk.name].checksum] for chunk in work.chunks]),
    }


def _is_current(folder: RunFolder, attributes: dict[str, Any]) -> bool:
    from spotcat.catalog.atomic import settled
    from spotcat.catalog.layout import root_attributes

    stored = root_attributes(settled(folder.catalog))
    return all(name in stored and stored[name] == value for name, value in attributes.items())


def _summary(path: Path) -> CatalogSummary:
    from spotcat.catalog.query import open_catalog

    status = open_catalog(path)["status"].values
    counts = Counter(Status(code).name.lower() for code in status.tolist())
    return CatalogSummary(path, len(status), dict(sorted(counts.items())))
