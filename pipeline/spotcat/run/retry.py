"""Stars whose fit failed, fitted again: their chunks count as not done until they are."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from spotcat.config import Recipe, Site
from spotcat.run.folder import RunFolder
from spotcat.run.progress import LOG
from spotcat.run.survey import load_work
from spotcat.status import Status


def forget_failed(folder: RunFolder, recipe: Recipe, site: Site) -> int:
    """Let the chunks be fitted again in which a star's fit failed, ended its process or did not end.

    Whole chunks, since a fit does not depend on who did it before: where the cause is gone, the catalog has the bytes
    of a run that nothing disturbed; where it is not, those that it had.  Nobody else may be at work in the folder.

    Args:
        folder: of an ingested run.
        recipe: its recipe.
        site: where the stars will be fitted.

    Returns:
        The number of stars whose fit failed.

    Raises:
        InputError: nothing is ingested, or settings, code or input changed.
        RunError: a part is damaged, or the ledger cannot be written.
    """
    work = load_work(folder, recipe, site.platform)
    work.ledger.check()
    failed = {
        chunk.name: count
        for chunk in work.chunks
        if chunk.name in work.done and (count := _count(work.ledger.part(chunk.name), chunk.star_ids))
    }
    work.ledger.forget(failed)
    LOG.info("retry: the fit of %d stars failed; %d chunks are fitted again", sum(failed.values()), len(failed))
    return sum(failed.values())


def _count(part: Path, star_ids: tuple[int, ...]) -> int:
    """How many of some stars failed in a part."""
    from spotcat.catalog.writer import read_part

    rows = read_part(part)
    failed = rows["star_id"][rows["status"] == Status.FIT_FAILED]
    return int(np.isin(failed, star_ids).sum())
