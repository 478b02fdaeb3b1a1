"""Chosen stars of a survey fitted again with a sampler that is too dear for all of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from spotcat.config import Recipe, Site, load_recipe
from spotcat.run.changes import differences, in_brief
from spotcat.run.claim import owned
from spotcat.run.folder import RunFolder, existing
from spotcat.run.stages import CatalogSummary, finalise_stage, fit_stage, require_sampler
from spotcat.status import InputError

INGESTED = ("input.", "clean.", "fit.min_points")
"""The settings that decide what is in a store."""


def fit_again(recipe: Recipe, site: Site, sampler: str, stars: tuple[str, ...]) -> CatalogSummary:
    """Fit some stars of an ingested survey, into a run of its own within the survey's: ``<output>/<sampler>``.

    Args:
        recipe: the survey's.
        site: where to run.
        sampler: laplace, importance or nuts.
        stars: their names.

    Returns:
        The catalog of these stars.

    Raises:
        InputError: nothing is ingested, or it was ingested with other settings, a star is not in the survey, blackjax
            is missing, or other stars were fitted with this sampler before.
        RunError: the fit could not be finished; starting it again goes on.
    """
    from spotcat.ingest.store import LightCurveStore
    from spotcat.run.plan import chosen

    require_sampler(sampler)
    survey = RunFolder(recipe.survey.output)
    output = Path(recipe.survey.output) / sampler
    again = replace(
        recipe,
        survey=replace(recipe.survey, output=str(output)),
        fit=replace(recipe.fit, sampler=sampler, stars=stars),
    )
    _require_same_input(survey, recipe)
    # Before there is a folder: a mistyped name must not become the recipe that the right one differs from.
    chosen(LightCurveStore(survey.store).stars, again.fit)
    with owned(again) as folder:
        if not folder.store.is_symlink():
            folder.store.symlink_to(Path("..") / survey.store.name)
    fit_stage(again, site)
    return finalise_stage(again)


def _require_same_input(survey: RunFolder, recipe: Recipe) -> None:
    """Refuse settings of the input that the survey's light curves were not made with."""
    changed = differences(load_recipe(existing(survey.path).recipe), recipe)
    changed = {key: values for key, values in changed.items() if key.startswith(INGESTED)}
    if changed:
        raise InputError(
            f"{survey.store}: was ingested with other settings ({in_brief(changed)}); fit with those, or ingest this "
            f"recipe into another survey.output"
        )
