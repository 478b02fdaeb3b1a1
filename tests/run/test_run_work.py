from __future__ import annotations

import errno
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
import zarr
from run_surveys import CHUNK, write_recipe

from spotcat.catalog.query import open_catalog
from spotcat.catalog.writer import read_part
from spotcat.config import Site, load_recipe
from spotcat.ingest.store import LightCurveStore
from spotcat.run.batches import Batch, bisect, in_batches
from spotcat.run.plan import Chunk, plan_chunks
from spotcat.run.stages import finalise_stage, fit_stage, ingest_stage
from spotcat.run.state import status_of
from spotcat.run.work import find_deadly, process_chunk
from spotcat.status import InputError, RunError, Status

SERIAL = Site("serial", chunk=CHUNK)


def _square_all(numbers: Sequence[int]) -> list[int]:
    """Refuses 5 and 6."""
    if {5, 6} & set(numbers):
        raise ValueError(f"cannot square {numbers}\nat all")
    return [number**2 for number in numbers]


def test_bisection_blames_the_stars_that_fail_alone() -> None:
    outcomes = list(bisect(_square_all, range(16)))
    assert [number for numbers, _ in outcomes for number in numbers] == list(range(16))
    failed = [list(numbers) for numbers, outcome in outcomes if isinstance(outcome, Exception)]
    assert failed == [[5], [6]]
    for numbers, outcome in outcomes:
        if not isinstance(outcome, Exception):
            assert outcome == [number**2 for number in numbers]


@pytest.mark.parametrize(
    ("error", "raised"),
    [
        *(
            (OSError(number, "no", "file"), OSError)
            for number in (errno.ENOSPC, errno.EROFS, errno.EDQUOT, errno.EACCES, errno.EIO, errno.ESTALE, errno.ENOENT)
        ),
        (ModuleNotFoundError("No module named 'scipy'"), RunError),
        (ImportError("libcudart.so.12: cannot open shared object file"), RunError),
        (MemoryError(), RunError),
        (RuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 8 bytes."), RunError),
        (InputError("a recipe"), InputError),
    ],
)
def test_the_machine_is_never_blamed_on_a_star(error: Exception, raised: type[Exception]) -> None:
    def fail(stars: Sequence[int]) -> None:
        raise error

    with pytest.raises(raised):
        list(bisect(fail, range(4)))


def test_a_batch_that_memory_does_not_hold_is_halved() -> None:
    """JAX is asked for more than any machine has where more than four stars are padded to."""
    asked: list[tuple[int, int]] = []

    def fit(stars: Sequence[int], lanes: int) -> list[int]:
        asked.append((len(stars), lanes))
        if lanes > 4 or (lanes > 2 and 13 in stars):
            jax.numpy.zeros((lanes, 2**50)).block_until_ready()
        return [number**2 for number in stars]

    batch = Batch(16)
    found = list(in_batches(fit, list, range(20), batch))
    assert [outcome for _, outcomes in found if isinstance(outcomes, list) for outcome in outcomes] == [
        number**2 for number in range(20)
    ]
    assert (batch.size, batch.smaller) == (2, True)
    assert asked[:4] == [(16, 16), (8, 8), (4, 4), (4, 4)]
    assert asked[4:] == [(4, 4), (4, 4), (2, 2), (2, 2), (2, 2), (2, 2)]
    assert not Batch(16).smaller


def test_one_star_that_memory_does_not_hold_ends_the_run() -> None:
    def fit(stars: Sequence[int], lanes: int) -> None:
        jax.numpy.zeros((lanes, 2**50)).block_until_ready()

    with pytest.raises(RunError, match=r"the fit of a single star ran out of memory; use fewer workers or a smaller"):
        list(in_batches(fit, list, range(3), Batch(4)))


def test_a_batch_that_raises_harms_no_other() -> None:
    found = list(in_batches(lambda stars, _: _square_all(stars), list, range(16), Batch(4)))
    assert [number for numbers, _ in found for number in numbers] == list(range(16))
    assert [list(numbers) for numbers, outcome in found if isinstance(outcome, Exception)] == [[5], [6]]


@pytest.mark.parametrize("deadly", [{0}, {3}, {1, 2}, {0, 4}, {0, 1, 2, 3, 4}])
def test_halving_finds_the_deadly_stars(deadly: set[int]) -> None:
    chunk = Chunk("chunk-00000", (0, 1, 2, 3, 4), None)
    found = find_deadly(lambda part: not deadly & set(part.star_ids), chunk)
    assert found == tuple(sorted(deadly))


@pytest.mark.slow
def test_a_star_whose_fit_raises_harms_no_neighbour(tmp_path: Path, stars: Path, undisturbed: Path) -> None:
    recipe = load_recipe(write_recipe(tmp_path / "tiny.toml", stars, tmp_path / "run"))
    ingest_stage(recipe)
    store = LightCurveStore(tmp_path / "run" / "lightcurves.zarr")
    first = plan_chunks(store.stars, recipe.fit, CHUNK)[0]
    poison = first.star_ids[1]
    _stretch(store, poison)
    fit_stage(recipe, SERIAL)
    summary = finalise_stage(recipe)

    clean, poisoned = open_catalog(undisturbed / "catalog.zarr"), open_catalog(summary.path)
    hit = poisoned["star_id"].values == poison
    assert poisoned["status"].values[hit].tolist() == [Status.FIT_FAILED]
    assert poisoned["reason"].values[hit][0].startswith("the fit failed (")
    assert np.isnan(poisoned["prot"].values[hit]).all()
    assert np.isnan(poisoned["gp_periodogram"].values[hit]).all()
    assert poisoned["name"].values[hit] == clean["name"].values[hit]
    assert poisoned["n_points"].values[hit] == clean["n_points"].values[hit]
    for name in ("star_id", "name", "status", "flags", "reason"):
        assert poisoned[name].values[~hit].tolist() == clean[name].values[~hit].tolist()
    for name in ("prot", "peq", "spot_lifetime", "gp_periodogram", "fit_vector"):
        np.testing.assert_allclose(poisoned[name].values[~hit], clean[name].values[~hit], rtol=1e-5)


@pytest.mark.slow
def test_a_deadly_star_is_left_out_of_the_fit(tmp_path: Path, stars: Path) -> None:
    recipe = load_recipe(write_recipe(tmp_path / "tiny.toml", stars, tmp_path / "run"))
    ingest_stage(recipe)
    store = LightCurveStore(tmp_path / "run" / "lightcurves.zarr")
    chunk = plan_chunks(store.stars, recipe.fit, CHUNK)[0]
    process_chunk(tmp_path / "run", chunk)
    whole = read_part(tmp_path / "run" / "parts" / chunk.name)
    result = process_chunk(tmp_path / "run", replace(chunk, deadly=chunk.star_ids[:1]))
    part = read_part(tmp_path / "run" / "parts" / chunk.name)
    assert result.n_stars == len(part["star_id"]) == CHUNK
    assert part["star_id"].tolist() == list(chunk.star_ids)
    assert part["status"][0] == Status.FIT_FAILED
    assert part["reason"][0] == "the fit ended its process every time"
    np.testing.assert_allclose(part["prot"], [np.nan, *whole["prot"][1:]], rtol=1e-5)
    process_chunk(tmp_path / "run", replace(chunk, deadly=chunk.star_ids))
    part = read_part(tmp_path / "run" / "parts" / chunk.name)
    assert set(part["status"]) == {Status.FIT_FAILED}


def test_a_part_that_cannot_be_written_ends_the_run(tmp_path: Path, stars: Path) -> None:
    recipe = load_recipe(write_recipe(tmp_path / "tiny.toml", stars, tmp_path / "run"))
    ingest_stage(recipe)
    store = LightCurveStore(tmp_path / "run" / "lightcurves.zarr")
    unfitted = plan_chunks(store.stars, recipe.fit, CHUNK)[-1]
    (tmp_path / "run" / "parts").write_text("in the way")
    with pytest.raises(RunError, match=f"{tmp_path}/run/parts/{unfitted.name}.*cannot be written"):
        process_chunk(tmp_path / "run", unfitted)


def test_stages_say_what_is_missing(tmp_path: Path, stars: Path) -> None:
    recipe = load_recipe(write_recipe(tmp_path / "tiny.toml", stars, tmp_path / "run"))
    with pytest.raises(InputError, match="no light-curve store"):
        fit_stage(recipe, SERIAL)
    assert status_of(tmp_path / "run").n_stars == 0
    ingest_stage(recipe)
    with pytest.raises(InputError, match="2 of 2 chunks are not fitted; run `spotcat fit` first"):
        finalise_stage(recipe)
    status = status_of(tmp_path / "run")
    assert (status.n_stars, status.n_done, status.n_chunks, status.finished) == (12, 0, 2, False)


def _stretch(store: LightCurveStore, star_id: int) -> None:
    """Move a star's last measurement far beyond the time span that the star table, and so its bucket, has."""
    for name in store.campaigns:
        group: Any = zarr.open_group(store.path / name, mode="r+")
        found = np.flatnonzero(group["star_id"][:] == star_id)
        if found.size:
            row, last = int(found[0]), int(group["n_points"][int(found[0])]) - 1
            group["time"][row, last] = 1e6
            return
    raise AssertionError("the star has no light curve")
