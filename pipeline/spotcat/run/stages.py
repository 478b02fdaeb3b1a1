"""The stages of a run: ingest, fit, finalise.

Each can be started again at any time and does what is missing.  The process that runs them, the driver, writes
the ledger's entries of the chunks that it hands out, and imports JAX only where the executor is serial.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from time import monotonic
from typing import Any

from spotcat import __version__
from spotcat.citation import CITATION
from spotcat.config import Recipe, Site, Spots, digest, to_dict
from spotcat.run.account import write_account
from spotcat.run.cache import GIVEN, heal, left_aside, make_room
from spotcat.run.claim import Lock, joined, owned
from spotcat.run.environment import prepared
from spotcat.run.events import recorded
from spotcat.run.fitting import fit
from spotcat.run.folder import RunFolder
from spotcat.run.forecast import forecast_of
from spotcat.run.mapping import mapping
from spotcat.run.progress import LOG, Progress, logged
from spotcat.run.retry import forget_failed
from spotcat.run.stop import stoppable
from spotcat.run.survey import Run, Share, Work, keep_chunk_size, load_work
from spotcat.status import InputError, Status
from spotcat.verdict.calibration import calibration_of


@dataclass(frozen=True)
class CatalogSummary:
    """A finished catalog: where it is, its stars, and how many have each status."""

    path: Path
    n_stars: int
    statuses: dict[str, int]


def run_survey(recipe: Recipe, site: Site, *, retry: bool = False) -> CatalogSummary:
    """Do everything from light curves to catalog that is not done yet.

    Args:
        recipe: what to run.
        site: where to run it.
        retry: count what failed as not done.

    Raises:
        InputError: the input or the run folder is not usable, or another recipe's.
        RunError: the run could not be finished; starting it again goes on.
    """
    with _driving(recipe, site) as run:
        _ingest(run, site)
        if retry:
            forget_failed(run.folder, recipe, site)
        _fit(run, site)
        return _finalise(run)


def run_share(recipe: Recipe, site: Site, share: Share) -> CatalogSummary | None:
    """Do one of several shares of a survey's fit; nothing but the run folder connects them.

    The first to come ingests and compiles while the others wait; the last to end finalises.

    Args:
        recipe: what to run.
        site: where to run it.
        share: which share of the chunks is this driver's.

    Returns:
        The finished catalog, or None where other shares are not done.

    Raises:
        InputError: the input or the run folder is not usable, or another recipe's.
        RunError: the share could not be finished; starting it again goes on.
    """
    calibration_of(recipe.fit)  # refused before anything is read
    with joined(recipe) as (folder, lock), _at_work(folder, recipe, site, share) as run:
        _prepare_shares(run, site, lock)
        work = load_work(folder, recipe, site.platform)
        work.ledger.check()
        mine = [chunk for chunk in share.of(work.chunks) if chunk.name not in work.done]
        if mine:
            fit(run, work, mine, site)
        if load_work(folder, recipe).missing:
            LOG.info("fit: share %s is done, others are not", share)
            return None
        # Whoever is still in has found the same, and waits too.
        lock.exclusive(wait=True)
        return _finalise(run)


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
    with _driving(recipe, site) as run:
        _ingest(run, site or Site("serial"), append)


def fit_stage(recipe: Recipe, site: Site) -> None:
    """Fit the stars of an ingested survey that are not fitted yet.

    Raises:
        InputError: nothing is ingested, or settings, code or input changed since the run began.
        RunError: the fit could not be finished; starting it again goes on.
    """
    with _driving(recipe, site) as run:
        _fit(run, site)


def finalise_stage(recipe: Recipe) -> CatalogSummary:
    """Join the fitted chunks of a survey into its catalog.

    Raises:
        InputError: chunks are missing.
        RunError: a part is damaged, or the catalog cannot be written.
    """
    with _driving(recipe) as run:
        return _finalise(run)


@contextmanager
def _driving(recipe: Recipe, site: Site | None = None) -> Iterator[Run]:
    """Work in a run folder alone."""
    calibration_of(recipe.fit)  # refused before anything is read
    with owned(recipe) as folder, _at_work(folder, recipe, site or Site()) as run:
        yield run


@contextmanager
def _at_work(folder: RunFolder, recipe: Recipe, site: Site, share: Share | None = None) -> Iterator[Run]:
    """What a driver needs while it is at work: logs, environment, and an ear for signals."""
    # Appended to by several machines, one file would lose lines.
    log = folder.log.with_stem(f"spotcat-{share.number}of{share.count}") if share else folder.log
    trouble = left_aside(site.cache)
    about = {"survey": recipe.survey.name, "executor": site.executor, "share": str(share or "")}
    with (
        stoppable() as stop,
        logged(log),
        prepared(folder, site.platform, site.cache),
        recorded(folder.events, version=__version__, **about) as events,
    ):
        if trouble:
            LOG.info("compiled programs are kept in %s: %s", folder.compiled, trouble)
        LOG.debug("spotcat %s on survey %r", __version__, recipe.survey.name)
        yield Run(folder, recipe, events, stop)


def _prepare_shares(run: Run, site: Site, lock: Lock) -> None:
    """Ingest and compile, or wait for the driver that does; return with the lock shared."""
    while True:
        if lock.exclusive():
            _ingest(run, site)
            work = _swept(run, site)
            if work.pilots:
                fit(run, work, work.pilots, site)
        lock.shared()
        if run.folder.store.exists():
            return


def _ingest(run: Run, site: Site, append: bool = False) -> None:
    from spotcat.ingest.pipeline import ingest
    from spotcat.ingest.plan import listed

    started = monotonic()
    with Progress("ingest", "files", 0) as progress, mapping(site) as mapper:
        summary = ingest(run.recipe, run.folder.store, progress.update, mapper, append)
    run.events.note("ingested", wall=monotonic() - started, stars=summary.n_stars, usable=summary.n_usable)
    LOG.info(
        "ingest: %d stars, %d of them fit for a search%s",
        summary.n_stars,
        summary.n_usable,
        " (done before)" if summary.kept else f"; {summary.n_left_out} of {summary.n_files} files left out",
    )
    for reason, files in summary.reasons.items():
        LOG.info("ingest: left out: %d %s (%s)", len(files), reason, listed(files))
    for remark in summary.remarks:
        LOG.info("ingest: %s", remark)


def _fit(run: Run, site: Site) -> None:
    work = _swept(run, site)
    if work.missing:
        fit(run, work, work.missing, site)
    else:
        LOG.info("fit: %d chunks (done before)", len(work.chunks))


def _swept(run: Run, site: Site) -> Work:
    """The work of a survey that nothing has changed, without what killed writers left; nobody else may be at work.

    What is left of it is forecast, for the run report to compare.
    """
    require_sampler(run.recipe.fit.sampler)
    work = load_work(run.folder, run.recipe, site.platform, site.chunk)
    work.ledger.check()
    work.ledger.sweep()
    keep_chunk_size(run.folder, work)
    if work.missing:
        heal(Path(os.environ[GIVEN]))
        make_room(Path(os.environ[GIVEN]))
        run.events.note("forecast", **forecast_of(run.folder, work, run.recipe, site).figures())
    return work


def require_sampler(sampler: str) -> None:
    """Ask for a sampler's extra before any star is fitted.

    Raises:
        InputError: it is not installed.
    """
    if sampler == "nuts" and find_spec("blackjax") is None:
        raise InputError("the nuts sampler needs blackjax: pip install 'spotcat[mcmc]'")


def _finalise(run: Run) -> CatalogSummary:
    from spotcat.catalog.finalise import finalise

    folder, work = run.folder, load_work(run.folder, run.recipe)
    work.ledger.check()
    if work.missing:
        raise InputError(
            f"{folder.path}: {len(work.missing)} of {len(work.chunks)} chunks are not fitted; run `spotcat fit` first"
        )
    attributes = catalog_attributes(run.recipe, work)
    if is_current(folder, attributes):
        LOG.info("finalise: %s (done before)", folder.catalog)
        return _summary(folder.catalog)
    with suppress(OSError):
        folder.hung.rmdir()
    started = monotonic()
    wanted = {work.ledger.part(chunk.name): chunk.star_ids for chunk in work.chunks}
    counts = {work.ledger.part(chunk.name): len(work.done[chunk.name].stars) for chunk in work.chunks}
    n_stars = finalise(list(counts), folder.catalog, attributes, counts, wanted)
    LOG.info("finalise: %d stars in %s", n_stars, folder.catalog)
    run.events.note("finalised", wall=monotonic() - started, stars=n_stars)
    write_account(folder, work)
    return _summary(folder.catalog)


def catalog_attributes(recipe: Recipe, work: Work) -> dict[str, Any]:
    """Attributes of the catalog; equal ones tell that a catalog was made of these very parts."""
    specs = [chunk.spec for chunk in work.chunks if chunk.spec is not None]
    whole = to_dict(recipe)
    # Where a run lies changes no result.
    survey = {name: value for name, value in whole["survey"].items() if name != "output"}
    return {
        "survey": recipe.survey.name,
        **{name: survey[name] for name in ("seed", "authors", "licence", "date")},
        "recipe": {**whole, "survey": survey},
        "spotcat_version": __version__,
        "citation": CITATION,
        "fit_parameters": list(specs[0].layout(recipe.fit).names) if specs else [],
        "spots": Spots.of(recipe.fit).words,
        **{f"{name}_hash": value for name, value in work.hashes.items()},
        "parts_hash": digest([[chunk.name, work.done[chunk.name].checksum] for chunk in work.chunks]),
    }


def is_current(folder: RunFolder, attributes: dict[str, Any]) -> bool:
    """Whether the run's catalog has these attributes."""
    from spotcat.atomic import settled
    from spotcat.catalog.layout import root_attributes

    stored = root_attributes(settled(folder.catalog))
    return all(name in stored and stored[name] == value for name, value in attributes.items())


def _summary(path: Path) -> CatalogSummary:
    from spotcat.catalog.query import open_catalog

    status = open_catalog(path).column("status")
    counts = Counter(Status(code).name.lower() for code in status.tolist())
    return CatalogSummary(path, len(status), dict(sorted(counts.items())))
