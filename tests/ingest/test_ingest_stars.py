"""Which files a star is made of: authors, ids, versions, overlaps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ingest_files import (
    LONG_CADENCE,
    make_recipe,
    run_ingest,
    signal,
    star_row,
    table_columns,
    write_csv,
    write_kepler,
    write_official,
)

from spotcat.ingest.identity import table_identity
from spotcat.status import Flag, InputError, Status


def write_manifest(folder: Path, *rows: str) -> Path:
    path = folder / "manifest.csv"
    path.write_text("\n".join(["star_id,name,file", *rows]) + "\n")
    return path


@pytest.fixture
def two_authors(tmp_path: Path) -> Path:
    write_official(tmp_path / "spoc.fits", "TESS", 77, 12, signal(start=1600))
    write_csv(tmp_path / "own.csv", table_columns(start=1700))
    return write_manifest(tmp_path, "9,TIC 77,spoc.fits", "9,TIC 77,own.csv")


def test_mixed_authors_are_refused(tmp_path: Path, two_authors: Path) -> None:
    write_kepler(tmp_path, 4)
    recipe = make_recipe(tmp_path / "*.fits", manifest=two_authors)
    summary, store = run_ingest(recipe, tmp_path / "store")
    row = star_row(store, "TIC 77")
    assert (row["status"], row["n_points"]) == (Status.MIXED_AUTHORS, 0)
    assert "(SPOC: spoc.fits; table: own.csv)" in row["reason"]
    assert store.read([9])[0].time.size == 0
    assert star_row(store, "KIC 4")["status"] == Status.OK
    assert summary.n_usable == 1
    assert store.left_out["file"].tolist() == ["own.csv", "spoc.fits"]


@pytest.mark.parametrize(("author", "n_points"), [("SPOC", 200), ("table", 100)])
def test_a_chosen_author_leaves_the_other_out(tmp_path: Path, two_authors: Path, author: str, n_points: int) -> None:
    recipe = make_recipe(manifest=two_authors, author=author)
    _, store = run_ingest(recipe, tmp_path / "store")
    row = star_row(store, "TIC 77")
    assert (row["status"], row["author"], row["n_points"], row["flags"]) == (0, author, n_points, 0)
    assert row["mission"] == ("TESS" if author == "SPOC" else "table")
    (reason,) = store.left_out["reason"]
    assert reason.endswith(f"[input] author is {author}")


def test_star_without_the_chosen_author_keeps_a_row(tmp_path: Path) -> None:
    write_kepler(tmp_path, 4)
    write_csv(tmp_path / "own.csv", table_columns())
    _, store = run_ingest(make_recipe(tmp_path, author="Kepler"), tmp_path / "store")
    row = star_row(store, "own")
    assert row["status"] == Status.UNSUPPORTED
    assert row["reason"] == "own.csv: by table, but [input] author is Kepler"


def test_an_author_of_nothing_is_an_error(tmp_path: Path) -> None:
    write_kepler(tmp_path, 4)
    with pytest.raises(InputError, match=r"input\.author.*'Keppler'.*'Kepler'"):
        run_ingest(make_recipe(tmp_path, author="Keppler"), tmp_path / "store")
    assert not (tmp_path / "store").exists()


def test_header_against_manifest(tmp_path: Path) -> None:
    write_kepler(tmp_path, 5)
    write_kepler(tmp_path, 6, seed=1)
    manifest = write_manifest(tmp_path, f"60,KIC 60,{write_kepler(tmp_path, 7).name}")
    _, store = run_ingest(make_recipe(tmp_path, manifest=manifest), tmp_path / "store")
    row = star_row(store, "KIC 60")
    assert (row["star_id"], row["mission_id"], row["status"]) == (60, 60, Status.ID_CONFLICT)
    assert "KIC 7" in row["reason"] and "KIC 60" in row["reason"] and "kplr000000007" in row["reason"]
    assert np.isnan(row["ra"])
    assert star_row(store, "KIC 5")["status"] == star_row(store, "KIC 6")["status"] == Status.OK


def test_header_against_the_files_own_name(tmp_path: Path) -> None:
    write_kepler(tmp_path, 5)
    write_kepler(tmp_path, 6, KEPLERID=5, OBJECT="KIC 5")
    _, store = run_ingest(make_recipe(tmp_path), tmp_path / "store")
    row = star_row(store, "KIC 6")
    assert (row["status"], row["mission_id"]) == (Status.ID_CONFLICT, 6)
    assert "its header says KIC 5, its name KIC 6" in row["reason"]
    assert (star_row(store, "KIC 5")["status"], star_row(store, "KIC 5")["flags"]) == (Status.OK, 0)


def test_manifest_may_rename_a_mission_star(tmp_path: Path) -> None:
    file = write_kepler(tmp_path, 5).name
    manifest = write_manifest(tmp_path, f"90,Kepler-90,{file}")
    _, store = run_ingest(make_recipe(manifest=manifest), tmp_path / "store")
    row = star_row(store, "Kepler-90")
    assert (row["star_id"], row["mission"], row["mission_id"], row["status"]) == (90, "Kepler", 5, 0)


def test_two_stars_under_one_name(tmp_path: Path) -> None:
    files = [write_kepler(tmp_path, 5, 3).name, write_kepler(tmp_path, 6, 4).name]
    manifest = write_manifest(tmp_path, *(f"90,Kepler-90,{file}" for file in files))
    _, store = run_ingest(make_recipe(manifest=manifest), tmp_path / "store")
    row = star_row(store, "Kepler-90")
    assert row["status"] == Status.ID_CONFLICT and "different stars" in row["reason"]


def test_one_name_under_two_ids(tmp_path: Path) -> None:
    listed = write_kepler(tmp_path, 5, 3)
    write_kepler(tmp_path, 5, 4)
    write_kepler(tmp_path, 6, 4)
    manifest = write_manifest(tmp_path, f"50,KIC 5,{listed.name}")
    _, store = run_ingest(make_recipe(tmp_path, manifest=manifest), tmp_path / "store")
    assert store.stars["star_id"].tolist() == [50, 1_000_000_000_005, 1_000_000_000_006]
    assert store.stars["status"].tolist() == [Status.ID_CONFLICT, Status.ID_CONFLICT, Status.OK]
    assert all("50, 1000000000005" in reason for reason in store.stars["reason"][:2])


def test_one_id_for_two_names(tmp_path: Path) -> None:
    write_kepler(tmp_path, 5)
    write_csv(tmp_path / "other.csv", table_columns())
    manifest = write_manifest(tmp_path, "1000000000005,other,other.csv")
    _, store = run_ingest(make_recipe(tmp_path, manifest=manifest), tmp_path / "store")
    assert store.stars["star_id"].tolist() == [1_000_000_000_005]
    assert store.stars["status"].tolist() == [Status.ID_CONFLICT]
    assert "KIC 5, other" in store.stars["reason"][0]


def test_two_names_with_one_number_are_refused_in_words(tmp_path: Path) -> None:
    """As where two names of tables have one hash."""
    for name in ("one", "two", "three"):
        write_csv(tmp_path / f"{name}.csv", table_columns(seed=len(name)))
    manifest = write_manifest(tmp_path, f"{table_identity('two').star_id},one,one.csv")
    summary, store = run_ingest(make_recipe(tmp_path, manifest=manifest), tmp_path / "store")
    assert star_row(store, "three")["status"] == Status.OK
    (reason,) = store.stars["reason"][store.stars["status"] == Status.ID_CONFLICT]
    assert "stands for one, two (one.csv, two.csv); a manifest can give them others" in reason
    assert summary.reasons == {"one star_id stands for several stars": ["one.csv", "two.csv"]}


def test_the_newest_version_of_a_quarter_is_kept(tmp_path: Path) -> None:
    kept = {}
    for name, version, release in [
        ("a", "9.3.9 r60387", 25),
        ("b", "9.3.24 r60387", 25),
        ("c", "9.4.0 r60387", 24),
    ]:
        folder = tmp_path / name
        folder.mkdir()
        kept[name] = write_kepler(folder, 5, seed=len(kept), PROCVER=f"svn+ssh://host/{version}", DATA_REL=release)
    _, store = run_ingest(make_recipe(tmp_path), tmp_path / "store")
    row = star_row(store, "KIC 5")
    assert (row["status"], row["n_points"], row["n_segments"], row["flags"]) == (0, 200, 1, 0)
    (curve,) = store.read([row["star_id"]])
    flux = signal(start=500.0, seed=1)["flux"].astype(float)
    np.testing.assert_array_equal(curve.flux, flux / np.median(flux))
    assert store.left_out["status"].tolist() == [Status.OK, Status.OK]


def test_the_same_bytes_twice(tmp_path: Path) -> None:
    path = write_kepler(tmp_path, 5)
    (tmp_path / "copy.fits").write_bytes(path.read_bytes())
    summary, store = run_ingest(make_recipe(tmp_path), tmp_path / "store")
    row = star_row(store, "KIC 5")
    assert (row["n_points"], row["flags"], summary.n_left_out) == (200, Flag.NONE, 1)
    assert store.left_out["reason"].tolist() == ["the same bytes as copy.fits"]


def test_long_cadence_wins_over_short_and_months_add_up(tmp_path: Path) -> None:
    write_kepler(tmp_path, 5)
    for number, start in ((5, 500.5), (6, 500.0), (6, 510.0)):
        columns = signal(start=start, step=LONG_CADENCE / 30, n=300, seed=3)
        name = f"kplr{number:09d}-{int(start * 10)}_slc.fits"
        write_official(tmp_path / name, "Kepler", number, 5, columns)
    _, store = run_ingest(make_recipe(tmp_path), tmp_path / "store")
    both = star_row(store, "KIC 5")
    assert (both["n_points"], both["n_segments"], both["flags"]) == (200, 1, 0)
    months = star_row(store, "KIC 6")
    assert (months["n_points"], months["n_segments"]) == (600, 2)
    assert store.campaigns == ("kepler/q05-1765s", "kepler/q05-59s")


def test_overlapping_tables_are_flagged(tmp_path: Path) -> None:
    write_csv(tmp_path / "a.csv", table_columns(n=60))
    write_csv(tmp_path / "b.csv", table_columns(n=100, start=20, seed=1))
    manifest = write_manifest(tmp_path, "9,Sun,a.csv", "9,Sun,b.csv")
    _, store = run_ingest(make_recipe(manifest=manifest), tmp_path / "store")
    row = star_row(store, "Sun")
    assert (row["status"], row["n_points"], row["flags"]) == (0, 100, Flag.FILES_REFUSED)
    assert store.left_out["reason"].tolist() == ["covers the same time as b.csv"]


def test_few_points_counts_all_files_of_a_star(tmp_path: Path) -> None:
    for name, start in (("a", 0), ("b", 100), ("c", 200)):
        write_csv(tmp_path / f"{name}.csv", table_columns(n=20, start=start))
    manifest = write_manifest(tmp_path, "1,Sun,a.csv", "1,Sun,b.csv", "1,Sun,c.csv")
    _, store = run_ingest(make_recipe(manifest=manifest), tmp_path / "store")
    assert star_row(store, "Sun")["status"] == Status.OK
    manifest = write_manifest(tmp_path, "1,Sun,a.csv", "1,Sun,b.csv")
    _, store = run_ingest(make_recipe(manifest=manifest), tmp_path / "fewer")
    row = star_row(store, "Sun")
    assert (row["status"], row["n_points"]) == (Status.FEW_POINTS, 40)
    assert "fit.min_points = 50" in row["reason"] and "a.csv, b.csv" in row["reason"]
    assert store.read([1])[0].time.size == 40


def test_a_star_hash_depends_on_its_own_files_and_the_cleaning_only(tmp_path: Path) -> None:
    write_csv(tmp_path / "a.csv", table_columns())
    _, alone = run_ingest(make_recipe(tmp_path), tmp_path / "s1")
    write_csv(tmp_path / "b.csv", table_columns(seed=1))
    _, both = run_ingest(make_recipe(tmp_path), tmp_path / "s2")
    _, other_gap = run_ingest(make_recipe(tmp_path, gap=3.0), tmp_path / "s3")
    first = star_row(alone, "a")["input_hash"]
    assert len(first) == 16
    assert star_row(both, "a")["input_hash"] == first
    assert star_row(both, "b")["input_hash"] != first
    assert star_row(other_gap, "a")["input_hash"] != first
    assert len({alone.input_hash, both.input_hash, other_gap.input_hash}) == 3
