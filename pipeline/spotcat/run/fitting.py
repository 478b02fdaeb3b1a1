"""The fit stage: hand out chunks, note what is done, and find out which star is to blame where workers die."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

from spotcat.config import Site
from spotcat.run.executors import Executor, WorkerDied, make_executor
from spotcat.run.forecast import results_of
from spotcat.run.prices import Now, estimate, learn, loaded_by
from spotcat.run.progress import LOG, Progress
from spotcat.run.survey import Run, Work
from spotcat.status import RunError, RunStopped

if TYPE_CHECKING:
    from spotcat.run.plan import Chunk
    from spotcat.run.watchdog import Terms
    from spotcat.run.work import ChunkResult


_TOLD_EVERY = 5.0
"""How often the time left is estimated anew [s]."""

NO_STAR = -1
"""In place of a star where a worker process is tried without any."""


def fit(run: Run, work: Work, chunks: list[Chunk], site: Site) -> None:
    """Fit chunks, those first that compile the programs which the others read back.

    Args:
        run: what the driver has in hand.
        work: the survey's chunks.
        chunks: those to fit, none of them done.
        site: where.

    Raises:
        RunError: a part or the ledger cannot be written, or a chunk kills its workers but no star of it does.
        RunStopped: the driver was asked to end, or there is no worker left.
    """
    from spotcat.run.watchdog import forget

    for chunk in chunks:
        forget(run.folder, chunk)
    pilots = {chunk.name for chunk in work.pilots}
    groups = [[chunk for chunk in chunks if (chunk.name in pilots) is first] for first in (True, False)]
    started = monotonic()
    n_done = sum(len(chunk.star_ids) for chunk in work.chunks if chunk.name in work.done)
    n_stars = n_done + sum(len(chunk.star_ids) for chunk in chunks)
    clock = _Clock(run, work, chunks)
    with (
        Progress("fit", "stars", n_stars, n_done, left=clock.left) as progress,
        make_executor(site, len(chunks)) as executor,
        run.stop.awaited(),
    ):
        clock.executor = executor
        run.events.note("fitting", workers=executor.n_workers)
        fitting = _Fitting(run, work, site, executor, progress, clock)
        for group in groups:
            fitting.fit(group)
    if fitting.n_chunks < len(chunks):
        raise RunStopped(
            f"asked to end with {len(chunks) - fitting.n_chunks} chunks left; the same command goes on from here"
        )
    run.events.note("fitted", wall=monotonic() - started, work=fitting.seconds, workers=executor.n_workers)
    LOG.info("fit: %d chunks, %d stars", fitting.n_chunks, fitting.n_stars)
    n_buckets = len({chunk.spec for chunk in chunks if chunk.spec})
    LOG.info("fit: %d buckets, %d programs compiled, %d read back", n_buckets, fitting.compiled, fitting.read_back)
    LOG.info("fit: %.0f %% of the search grids is padding", 100 * work.padding)


class _Clock:
    """Tells how long the rest of a fit will take, from what its chunks took so far.

    Attributes:
        executor: who does the work.
    """

    def __init__(self, run: Run, work: Work, chunks: Sequence[Chunk]) -> None:
        self.executor: Executor | None = None
        self._work = work
        self._earlier = results_of(run.folder)
        self._waiting = {chunk.name: chunk for chunk in chunks}
        self._began: dict[str, float] = {}
        self._own: dict[str, dict[str, Any]] = {}
        self._told = (-_TOLD_EVERY, 0.0)

    def begin(self, chunk: Chunk) -> None:
        """A chunk is handed out."""
        self._began[chunk.name] = monotonic()

    def end(self, result: ChunkResult) -> None:
        """A chunk is done."""
        self._own[result.name] = result.events()
        for noted in (self._began, self._waiting):
            noted.pop(result.name, None)

    def left(self) -> float:
        """The time left [s]."""
        then, left = self._told
        now = monotonic()
        if now - then < _TOLD_EVERY:
            return max(left - (now - then), 0.0)
        at = Now({name: now - began for name, began in self._began.items()}, loaded_by(self._work.chunks, self._own))
        prices = learn(self._work.chunks, self._earlier | self._own)
        pilots = {chunk.name for chunk in self._work.pilots}
        n_workers = self.executor.n_workers if self.executor else 1
        left = estimate(list(self._waiting.values()), pilots, prices, n_workers, at).wall
        self._told = (now, left)
        return left


class _Fitting:
    """Fits chunks with an executor and counts what is done."""

    def __init__(self, run: Run, work: Work, site: Site, executor: Executor, progress: Progress, clock: _Clock) -> None:
        from spotcat.run.watchdog import Terms
        from spotcat.run.work import load_engine, process_chunk, try_fit

        self._run, self._work, self._executor, self._progress = run, work, executor, progress
        self._clock = clock
        self._batch, self._smallest = site.batch, 0
        self._stars = {chunk.name: chunk.star_ids for chunk in work.chunks}
        # The driver itself cannot be ended for taking too long.
        seconds = 0 if site.executor == "serial" else site.chunk_seconds
        terms = Terms(seconds, site.platform, site.cache)
        self._load, self._process, self._try = (
            self._guarded(terms, fn) for fn in (load_engine, process_chunk, try_fit)
        )
        self.n_chunks = self.n_stars = self.compiled = self.read_back = 0
        self.seconds = 0.0

    def fit(self, chunks: Sequence[Chunk]) -> None:
        """Fit chunks; those whose workers died come last, one at a time."""
        suspects = []
        for outcome in self._executor.run(self._process, self._begun(chunks)):
            if isinstance(outcome, WorkerDied):
                self._run.events.note("workers died", chunk=outcome.item.name)
                suspects.append(outcome.item)
            else:
                self._record(outcome)
        for chunk in self._begun(suspects):
            self._record(self._fit_suspect(chunk))

    def _guarded(self, terms: Terms, fn: Callable[[Path, Chunk], Any]) -> Callable[[Chunk], Any]:
        from spotcat.run.watchdog import guarded

        # Workers of a scheduler that runs already may be in another directory.
        return partial(guarded, terms, fn, self._run.folder.path.absolute())

    def _begun(self, chunks: Sequence[Chunk]) -> Iterator[Chunk]:
        """Chunks as they are handed out, none once the driver is asked to end."""
        for chunk in chunks:
            if self._run.stop.requested:
                return
            self._run.events.note("chunk began", chunk=chunk.name, stars=len(chunk.star_ids))
            self._clock.begin(chunk)
            yield replace(chunk, batch=self._batch)

    def _record(self, result: ChunkResult) -> None:
        stars = {star_id: self._work.inputs[star_id] for star_id in self._stars[result.name]}
        self._work.ledger.record(result.name, stars, result.checksum, result.seconds)
        self._run.events.note("chunk done", **result.events())
        self._clock.end(result)
        self._tell_of_memory(result)
        self._progress.add(result.n_stars)
        self.n_chunks += 1
        self.n_stars += result.n_stars
        self.seconds += result.seconds
        self.compiled += result.compiled
        self.read_back += result.read_back

    def _tell_of_memory(self, result: ChunkResult) -> None:
        """Say once for each size that batches were too large for some machine's memory."""
        if result.batch and (not self._smallest or result.batch < self._smallest):
            self._smallest = result.batch
            LOG.info(
                "fit: memory of %s ran out; %d stars are fitted together there from now on (batch = %d in the site "
                "begins with as many)",
                *(result.host, result.batch, result.batch),
            )

    def _fit_suspect(self, chunk: Chunk) -> ChunkResult:
        """Fit a chunk whose workers died, with no other at work that could be to blame."""
        from spotcat.run.watchdog import forget, hung
        from spotcat.run.work import find_deadly

        folder = self._run.folder
        LOG.debug("%s: %s", chunk.name, hung(folder, chunk) or "its worker processes died")
        forget(folder, chunk)
        outcome = self._alone(self._process, chunk)
        if not isinstance(outcome, WorkerDied):
            return outcome
        if isinstance(self._alone(self._load, replace(chunk, star_ids=(NO_STAR,))), WorkerDied):
            raise RunError(
                "worker processes end when they load the fit, before any star; "
                "see whether this installation works on the machines that they run on"
            )
        LOG.info("fit: %s ends its worker processes; looking for the stars that do", chunk.name)
        deadly = find_deadly(lambda part: not isinstance(self._alone(self._try, part), WorkerDied), chunk)
        endless = tuple(star_id for star_id in deadly if hung(folder, replace(chunk, star_ids=(star_id,))))
        forget(folder, chunk)
        self._run.events.note("stars quarantined", chunk=chunk.name, deadly=deadly, endless=endless)
        outcome = self._alone(self._process, replace(chunk, deadly=deadly, endless=endless))
        if isinstance(outcome, WorkerDied):
            raise RunError(f"{chunk.name} kills its worker processes, but no star of it does; use fewer workers")
        return outcome

    def _alone(self, fn: Callable[[Chunk], Any], chunk: Chunk) -> Any:
        (outcome,) = self._executor.run(fn, [chunk])
        return outcome
