"""Backgrounds: each star in one half, read as ingest reads it and not cleaned; what is wrong is said in a sentence."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from semireal_samples import FLARE, recipe_of, sector, write_backgrounds

from spotcat.check.backgrounds import LEARN, VALIDATE, half_of, observatory_of, read_backgrounds
from spotcat.cli import main
from spotcat.config import CleanConfig
from spotcat.ingest.formats import TABLE
from spotcat.ingest.read import read_curve
from spotcat.status import InputError

NAMES = [f"star{number}" for number in range(10)]


def test_a_star_is_in_one_half_however_it_is_spelt() -> None:
    halves = [half_of(f"TIC {number}") for number in range(1000)]
    assert 420 < halves.count(LEARN) < 580
    assert set(halves) == {LEARN, VALIDATE}
    for number in range(50):
        spelt = (f"TIC {number}", f"tic{number}", f"TIC-{number:09d}", f"tic{number}_s08")
        assert len({half_of(name) for name in spelt}) == 1
    # Another half in another version would validate on what was learnt from.
    assert [half_of(name) for name in ("TIC 55652896", "KIC 9579641", "gaia6413072890955208448", "star 1")] == [
        VALIDATE,
        VALIDATE,
        LEARN,
        VALIDATE,
    ]


def test_halves_share_no_star_and_together_hold_all(tmp_path: Path) -> None:
    recipe = recipe_of(tmp_path, write_backgrounds(tmp_path / "real", NAMES))
    stars = [{each.star for each in read_backgrounds(recipe, half)} for half in (LEARN, VALIDATE)]
    assert not stars[0] & stars[1]
    assert stars[0] | stars[1] == set(NAMES)


def test_backgrounds_are_read_as_ingest_reads_them_but_not_cleaned(tmp_path: Path) -> None:
    folder = write_backgrounds(tmp_path / "real", NAMES[:2])
    recipe = recipe_of(tmp_path, folder)
    read = [each for half in (LEARN, VALIDATE) for each in read_backgrounds(recipe, half)]
    assert len(read) == 2
    for background in read:
        own = sector(int(background.star.removeprefix("star")))
        ingested = read_curve(folder / f"{background.star}.ecsv", TABLE, CleanConfig())
        (piece,) = background.pieces
        np.testing.assert_array_equal(piece.time, own.time)
        np.testing.assert_array_equal(piece.time, ingested.time)
        np.testing.assert_array_equal(piece.segment, ingested.segment)
        assert len(set(piece.segment)) == 2
        np.testing.assert_allclose(piece.flux, own.flux / np.median(own.flux))
        # Cleaning would have found the flare, which is left to the run.
        assert ingested.left_out[FLARE].all()
        assert piece.flux[FLARE].min() > 1.03
        assert (background.observatory, background.n_points) == ("tess", own.time.size)


def test_a_table_of_kinds_leaves_only_the_negative_ones(tmp_path: Path) -> None:
    kinds = tmp_path / "STARS.csv"
    kinds.write_text("name,kind,period_d\nstar0,negative,\nStar 1,negative,\nstar2,rotator,3.1\nelsewhere,negative,\n")
    recipe = recipe_of(tmp_path, write_backgrounds(tmp_path / "real", NAMES), background_kinds=str(kinds))
    read = [each.star for half in (LEARN, VALIDATE) for each in read_backgrounds(recipe, half)]
    assert sorted(read) == ["star0", "star1"]


def test_tables_are_told_by_their_orbits_and_dates() -> None:
    days = np.arange(0, 80, 1 / 48)
    assert observatory_of(TABLE, sector(0).time) == "tess"
    for zero in (0.0, 2454833.0, 54832.5):
        assert observatory_of(TABLE, 500 + days + zero) == "kepler"
        assert observatory_of(TABLE, 2230 + days + zero) == "k2"
    assert observatory_of(TABLE, 5000 + days) == ""
    assert observatory_of("K2", 5000 + days) == "k2"


def _no_readable_file(folder: Path) -> dict[str, object]:
    folder.mkdir()
    (folder / "a.fits").write_bytes(b"SIMPLE  = nothing more")
    (folder / "b.csv").write_text("x,y\n1,2\n")
    return {}


def _too_few_points(folder: Path) -> dict[str, object]:
    write_backgrounds(folder, NAMES)
    for path in folder.iterdir():
        lines = path.read_text().splitlines()
        path.write_text("\n".join(lines[:30]) + "\n")
    return {}


def _no_such_star(folder: Path) -> dict[str, object]:
    write_backgrounds(folder, NAMES[:3])
    kinds = folder.parent / "kinds.csv"
    kinds.write_text("name,kind\nstar0,unknown\nelsewhere,negative\n")
    return {"background_kinds": str(kinds)}


def _no_table(folder: Path) -> dict[str, object]:
    write_backgrounds(folder, NAMES[:1])
    kinds = folder.parent / "kinds.csv"
    kinds.write_text("star,sort\nstar0,negative\n")
    return {"background_kinds": str(kinds)}


def _missing_table(folder: Path) -> dict[str, object]:
    write_backgrounds(folder, NAMES[:1])
    return {"background_kinds": str(folder.parent / "nowhere.csv")}


def _of_another_mission(folder: Path) -> dict[str, object]:
    write_backgrounds(folder, NAMES)
    return {"sets": ["ffi-real:2", "kepler-real:2"]}


def _unknown_set(folder: Path) -> dict[str, object]:
    write_backgrounds(folder, NAMES)
    return {"sets": ["sektor-real:2"]}


def _empty(folder: Path) -> dict[str, object]:
    folder.mkdir()
    return {}


@pytest.mark.parametrize(
    ("prepare", "said"),
    [
        (_empty, "check.backgrounds: .* matches no file"),
        (_no_readable_file, r"check.backgrounds: no file can be read as a light curve \(.*: "),
        (_too_few_points, r"every background has fewer valid measurements than fit.min_points = 50 \(most has star"),
        (_no_such_star, r"kinds.csv: calls none of the stars of check.backgrounds \(star0, star1, star2\) negative"),
        (_no_table, "kinds.csv: no column 'kind'; check.background_kinds is a table with the columns name and kind"),
        (_missing_table, "nowhere.csv: cannot be read"),
        (_of_another_mission, "no star for the set kepler-real in the half of `check recovery`; it takes light curves"),
        (_unknown_set, "no simulated set 'sektor-real'; did you mean 'sector-real'"),
    ],
    ids=lambda value: value.__name__.strip("_") if callable(value) else "",
)
def test_bad_input_is_one_sentence_before_anything_is_run(
    prepare: object, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert callable(prepare)
    check = {"sets": ["ffi-real:2"], "backgrounds": [str(tmp_path / "real")], **prepare(tmp_path / "real")}
    lines = [f"{key} = {json.dumps(value)}" for key, value in check.items()]
    recipe = tmp_path / "check.toml"
    head = f'[survey]\nname = "check"\noutput = "{tmp_path / "out"}"\nseed = 5\n[check]\n'
    recipe.write_text(head + "\n".join(lines) + "\n")
    assert main(["check", "recovery", str(recipe)]) == 2
    error = capsys.readouterr().err
    assert len(error.strip().splitlines()) == 1
    with pytest.raises(InputError, match=said):
        raise InputError(error)
    assert not (tmp_path / "out").exists()


def test_sets_of_real_light_curves_need_some(tmp_path: Path) -> None:
    recipe = recipe_of(tmp_path, tmp_path)
    with pytest.raises(InputError, match="names no real light curves"):
        read_backgrounds(replace(recipe, check=replace(recipe.check, backgrounds=())), LEARN)
