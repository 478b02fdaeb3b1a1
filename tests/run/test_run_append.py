"""New files in a survey that is fitted: the stars that they concern are fitted, the others keep what they have."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from spotcat.catalog.query import open_catalog
from spotcat.catalog.selection import Catalog
from spotcat.catalog.validate import check
from spotcat.config import FitConfig, InputConfig, Recipe, Site, SurveyConfig
from spotcat.run.folder import RunFolder
from spotcat.run.plan import kept_chunks, plan_chunks
from spotcat.run.stages import ingest_stage, run_survey
from spotcat.run.survey import keep_chunk_size, load_work

SERIAL = Site(executor="serial")
FIT, CHUNK = FitConfig(), 4


def write_file(folder: Path, star: int, part: int, n: int = 64) -> None:
    """A part of a star's light curve, listed in the folder's manifest."""
    random = np.random.default_rng([star, part])
    time = 200 * part + 0.5 * np.arange(n)
    phase = 2 * np.pi * time / (4.0 + star)
    flux = 1 + 0.01 * np.sin(phase) + 0.004 * np.sin(2 * phase + 1) + 0.002 * random.standard_normal(n)
    rows = "".join(f"{t!r},{f!r},0.002\n" for t, f in zip(time.tolist(), flux.tolist(), strict=True))
    (folder / f"star{star}-{part}.csv").write_text(f"time,flux,flux_err\n{rows}")
    with (folder / "stars.csv").open("a") as stream:
        stream.write(f"{star},star {star},star{star}-{part}.csv\n")


def recipe_of(folder: Path, run: Path) -> Recipe:
    return Recipe(
        SurveyConfig("grown", str(run), 1),
        InputConfig(manifest=str(folder / "stars.csv")),
        fit=replace(FIT, min_points=1000),
    )


def row_of(catalog: Catalog, name: str) -> dict[str, np.ndarray]:
    found = catalog.star(name)
    return {column: found.column(column) for column in found.columns}


def test_only_what_new_files_concern_is_fitted(tmp_path: Path) -> None:
    (tmp_path / "stars.csv").write_text("star_id,name,file\n")
    for star in range(1, 8):
        write_file(tmp_path, star, 0)
    recipe, folder = recipe_of(tmp_path, tmp_path / "run"), RunFolder(tmp_path / "run")
    run_survey(recipe, SERIAL)
    before = {f"star {star}": row_of(open_catalog(folder.catalog), f"star {star}") for star in range(1, 8)}
    # Stars that are not fitted travel the same way, and need no compiled programs.
    parts = {path: path.stat().st_mtime_ns for path in folder.parts.rglob("*.zip")}
    assert len(parts) == 1
    write_file(tmp_path, 2, 1)
    write_file(tmp_path, 9, 0)
    ingest_stage(recipe, append=True)
    work = load_work(folder, recipe)
    assert {star_id for chunk in work.missing for star_id in chunk.star_ids} == {2, 9}
    catalog = open_catalog(run_survey(recipe, SERIAL).path)
    assert {path: path.stat().st_mtime_ns for path in parts} == parts
    assert catalog.column("name").tolist() == [*before, "star 9"]
    for name in set(before) - {"star 2"}:
        for column, values in row_of(catalog, name).items():
            np.testing.assert_array_equal(values, before[name][column], err_msg=f"{name} {column}")
    assert catalog.star("star 2").column("n_segments") == 2
    check(folder.catalog)
    changed = folder.catalog.stat().st_mtime_ns
    run_survey(recipe, SERIAL)
    assert folder.catalog.stat().st_mtime_ns == changed
    at_once = open_catalog(run_survey(recipe_of(tmp_path, tmp_path / "at once"), SERIAL).path)
    for column in catalog.columns:
        np.testing.assert_array_equal(catalog.column(column), at_once.column(column), err_msg=column)


def _table(n_stars: int) -> dict[str, np.ndarray]:
    return {
        "star_id": np.arange(n_stars),
        "status": np.where(np.arange(n_stars) % 7 == 6, 2, 0),
        "span": np.where(np.arange(n_stars) % 2, 60.0, 200.0),
        "cadence": np.full(n_stars, 0.5),
        "n_segments": np.ones(n_stars, dtype=int),
    }


def test_every_star_is_in_one_chunk_whatever_was_kept() -> None:
    table = _table(60)
    first = plan_chunks({name: values[:50] for name, values in table.items()}, FIT, CHUNK)
    random = np.random.default_rng(1)
    unchanged = {chunk.name: [s for s in chunk.star_ids if random.random() < 0.7] for chunk in first}
    kept = kept_chunks(unchanged, table, FIT, 1)
    for chunk in kept:
        (source,) = [one for one in first if one.name == chunk.name]
        assert chunk.spec == source.spec and chunk.star_ids == tuple(unchanged[chunk.name])
    second = plan_chunks(table, FIT, CHUNK, 1, kept)
    assert all(chunk.name.startswith("chunk-1-") for chunk in second)
    assert sorted(star_id for chunk in kept + second for star_id in chunk.star_ids) == list(range(60))
    # What was fitted twice counts as it was fitted last.
    again = unchanged | {chunk.name: list(chunk.star_ids) for chunk in second} | {first[0].name: [0, 1]}
    third = kept_chunks(again, table, FIT, 2)
    assert len({star_id for chunk in third for star_id in chunk.star_ids}) == sum(len(c.star_ids) for c in third)
    assert kept_chunks(again, table, FIT, 0) == []


def test_a_run_keeps_the_chunks_that_it_began_with(tmp_path: Path) -> None:
    (tmp_path / "stars.csv").write_text("star_id,name,file\n")
    for star in range(1, 8):
        write_file(tmp_path, star, 0, n=60)
    recipe, folder = recipe_of(tmp_path, tmp_path / "run"), RunFolder(tmp_path / "run")
    recipe = replace(recipe, fit=replace(recipe.fit, min_points=50))
    ingest_stage(recipe)

    def sizes(chunk: int) -> list[int]:
        return [len(one.star_ids) for one in load_work(folder, recipe, "cpu", chunk).chunks]

    assert (sizes(0), sizes(3), sizes(5)) == ([7], [3, 3, 1], [5, 2])
    keep_chunk_size(folder, load_work(folder, recipe, "cpu", 3))
    assert sizes(0) == sizes(3) == sizes(5) == [3, 3, 1]
    folder.chunk_size.write_text("a person's note")
    assert sizes(5) == [5, 2]


def test_names_do_not_depend_on_what_is_done() -> None:
    """A resumed run plans what it planned before."""
    table = _table(30)
    kept = kept_chunks({"chunk-00000": [0, 2]}, table, FIT, 1)
    done = {"chunk-00000": [0, 2], "chunk-1-00000": [4, 8, 10, 12]}
    assert kept_chunks(done, table, FIT, 1) == kept
    assert replace(kept[0], star_ids=()) == replace(kept_chunks(done, table, FIT, 2)[1], star_ids=())
