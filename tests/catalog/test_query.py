from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import zarr
from catalog_samples import columns

import spotcat
from spotcat.catalog.finalise import finalise
from spotcat.catalog.query import open_catalog
from spotcat.catalog.schema import COLUMNS, SCHEMA_VERSION
from spotcat.catalog.selection import Catalog
from spotcat.catalog.store import Stored, read_together
from spotcat.catalog.writer import write_part
from spotcat.status import InputError, RunError

IDS = list(range(20))


def test_rows_are_those_for_which_the_expression_holds(catalog: Catalog) -> None:
    given = columns(IDS)
    expected = np.flatnonzero((given["prot"] > 5) & (given["flags"] < 4))
    assert 0 < len(expected) < len(IDS)
    rows = catalog.query("prot > 5 and flags < 4")
    assert rows["star_id"].values.tolist() == expected.tolist()
    assert rows["name"].values.tolist() == given["name"][expected].tolist()
    np.testing.assert_array_equal(rows["kappa_upper"].values, given["kappa_upper"][expected])
    assert rows.names == [column.name for column in COLUMNS]
    assert rows["prot"].attrs == catalog["prot"].attrs
    assert rows.attrs == catalog.attrs


def test_only_the_columns_asked_for_come_in_their_order(catalog: Catalog) -> None:
    rows = catalog.query("status == 0", ["prot", "star_id", "mission"])
    assert rows.names == ["prot", "star_id", "mission"]
    assert len(rows) == sum(number % 3 != 2 for number in IDS)


def test_a_blank_expression_gives_every_star_and_a_false_one_none(catalog: Catalog) -> None:
    assert len(catalog.query("")) == len(IDS)
    none = catalog.query("prot < 0", ["name", "prot"])
    assert len(none) == 0
    assert none["name"].values.tolist() == []


def test_a_selection_can_be_queried_again(catalog: Catalog) -> None:
    once = catalog.query("star_id >= 4").query("star_id < 9", ["star_id"])
    assert once["star_id"].values.tolist() == [4, 5, 6, 7, 8]


@pytest.mark.parametrize(
    ("expression", "wanted", "message"),
    [
        ("prott > 5", None, "unknown column 'prott'; did you mean 'prot'"),
        ("prot > 5", ["nam"], "unknown column 'nam'; did you mean 'name'"),
        ("gp_period > 5", None, "unknown column 'gp_period'"),
        ("prot > 5", ["gp_period"], "unknown column 'gp_period'"),
        ("prot >", None, "invalid syntax"),
    ],
)
def test_bad_queries_are_refused(catalog: Catalog, expression: str, wanted: list[str] | None, message: str) -> None:
    with pytest.raises(InputError, match=message):
        catalog.query(expression, wanted)


def test_only_the_columns_needed_are_read(catalog_path: Path) -> None:
    for column in COLUMNS:
        if column.name not in ("prot", "flags", "name"):
            (chunk,) = (catalog_path / column.name / "c").iterdir()
            chunk.write_bytes(b"not a chunk")
    catalog = open_catalog(catalog_path)
    assert len(catalog.query("prot > 5 and flags < 4", ["name", "prot"])) > 0
    with pytest.raises(RunError, match=r"catalog\.zarr/mag: the column is damaged"):
        catalog.query("prot > 5", ["mag"])
    with pytest.raises(RunError, match=r"kappa: the column is damaged"):
        catalog.query("kappa > 5", ["name"])


@pytest.mark.parametrize("rows", [slice(None), slice(2, 5), np.array([7, 0, 7, 3]), np.zeros(0, dtype=int)])
def test_columns_read_together_are_those_read_one_by_one(catalog: Catalog, rows: slice | np.ndarray) -> None:
    sources = [*catalog._sources.values(), *catalog.query("star_id >= 0")._sources.values()]
    for source, values in zip(sources, read_together(sources, rows), strict=True):
        np.testing.assert_array_equal(values, source.read(rows), err_msg=source.column.name)
        whole = source.array[...] if isinstance(source, Stored) else source.read()
        np.testing.assert_array_equal(values, np.asarray(whole)[rows].astype(values.dtype))


def test_a_flipped_bit_is_never_read(catalog_path: Path) -> None:
    (chunk,) = (catalog_path / "prot" / "c").iterdir()
    whole = chunk.read_bytes()
    for place in range(len(whole)):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << place % 8
        chunk.write_bytes(damaged)
        with pytest.raises(RunError, match="prot: the column is damaged"):
            open_catalog(catalog_path).query("prot > 5", [])


@pytest.mark.parametrize("name", ["KIC 7", "KIC7", "kic 7", " kic7 ", "Kic  7", "7"])
def test_a_star_is_found_by_name_or_number(catalog: Catalog, name: str) -> None:
    found = catalog.star(name)
    assert found["star_id"].values.tolist() == [7]
    assert found["name"].values.tolist() == ["KIC 7"]
    assert list(found.columns) == list(catalog.columns)
    np.testing.assert_array_equal(found["gp_period"].values, catalog["gp_period"].values[7:8])


def test_a_star_can_come_with_fewer_columns(catalog: Catalog) -> None:
    assert list(catalog.star("KIC 7", ["prot", "gp_period"]).columns) == ["prot", "gp_period"]
    with pytest.raises(InputError, match="unknown column 'prott'"):
        catalog.star("KIC 7", ["prott"])


@pytest.mark.parametrize("name", ["KIC 77", "77", "", "TIC 7", "\udce9", "\x00", "β Pic"])
def test_an_unknown_star_is_refused(catalog: Catalog, name: str) -> None:
    with pytest.raises(InputError, match=f"no star {re.escape(repr(name))} in the catalog"):
        catalog.star(name)


def test_a_selection_without_names_cannot_be_asked_for_one(catalog: Catalog) -> None:
    with pytest.raises(InputError, match="unknown column 'name'; known: prot, ra"):
        catalog.query("", ["prot", "ra"]).star("KIC 7")
    with pytest.raises(InputError, match="unknown column 'dec'"):
        catalog.query("", ["prot", "ra"]).cone(1, 2, 3)


def test_sorting_puts_missing_values_last_either_way(catalog: Catalog) -> None:
    prot = columns(IDS)["prot"]
    known = np.flatnonzero(np.isfinite(prot))
    missing = np.flatnonzero(np.isnan(prot))
    for descending in (False, True):
        order = known[np.argsort(prot[known])][:: -1 if descending else 1]
        found = catalog.sort("prot", descending=descending)
        assert found.column("star_id").tolist() == [*order, *missing]
    assert catalog.sort("name").column("name").tolist() == sorted(f"KIC {number}" for number in IDS)
    with pytest.raises(InputError, match="did you mean 'prot'"):
        catalog.sort("prott")


def test_an_ambiguous_name_asks_for_the_id(tmp_path: Path) -> None:
    given = columns([1, 2, 3, 4])
    given["name"] = np.array(["field a", "Field A", "twin", "twin"])
    write_part(tmp_path / "part", given, {})
    finalise([tmp_path / "part"], tmp_path / "catalog.zarr", {})
    catalog = open_catalog(tmp_path / "catalog.zarr")
    assert catalog.star("Field A")["star_id"].values.tolist() == [2]
    with pytest.raises(InputError, match="2 stars are called 'fielda'; give a star id: 1, 2"):
        catalog.star("fielda")
    with pytest.raises(InputError, match="2 stars are called 'twin'; give a star id: 3, 4"):
        catalog.star("twin")


def test_a_number_is_a_star_id_and_a_text_a_name(tmp_path: Path) -> None:
    given = columns([1, 2, 3])
    given["name"] = np.array(["3", "1", "77"])
    write_part(tmp_path / "part", given, {})
    finalise([tmp_path / "part"], tmp_path / "catalog.zarr", {})
    catalog = open_catalog(tmp_path / "catalog.zarr")
    for asked, star_id in ((1, 1), ("1", 2), (3, 3), ("3", 1), (2, 2), ("2", 2), (77, 3), (np.int64(1), 1)):
        assert catalog.star(asked).column("star_id").tolist() == [star_id]


def test_the_dataset_behaves_as_others_do(finished: Path) -> None:
    """Text is ordinary text: xarray's own selections work on it."""
    catalog = open_catalog(finished).dataset
    given = columns(IDS)
    kept = catalog[["name", "prot", "mission"]].where(catalog["prot"] > 5, drop=True)
    assert kept["name"].values.tolist() == given["name"][given["prot"] > 5].tolist()
    assert {type(name) for name in kept["name"].values} == {str}
    assert int((catalog["name"] == "KIC 7").sum()) == 1
    assert catalog.isel(star=3)["name"].item() == "KIC 3"
    assert catalog["gp_period"][2, 1:3].shape == (2,)
    frame = catalog[["name", "prot"]].to_dataframe()
    assert frame["name"].tolist() == given["name"].tolist()
    catalog["prot"][0] = -1.0
    catalog["double"] = 2 * catalog["prot"]
    assert catalog["double"].values[0] == -2.0


def test_a_selection_can_be_changed_without_touching_the_catalog(catalog: Catalog) -> None:
    rows = catalog.query("", ["prot"])
    before = catalog["prot"].values[0]
    rows["prot"][0] = before + 1
    assert rows["prot"].values[0] == before + 1
    assert catalog["prot"].values[0] == before


def test_a_catalog_shows_its_first_stars(catalog: Catalog) -> None:
    lines = repr(catalog).splitlines()
    assert lines[0] == f"sample: 20 stars, {len(COLUMNS)} columns"
    assert [line.split()[:2] for line in lines[3:-1]] == [["KIC", str(number)] for number in range(10)]
    assert lines[-1] == "..."
    assert repr(catalog.query("star_id == 3", ["prot"])).splitlines()[0] == "sample: 1 star, 1 columns"
    assert repr(Catalog({}, {})) == "0 stars, 0 columns"


def test_opening_reads_no_column(catalog_path: Path) -> None:
    for path in catalog_path.glob("*/c/*"):
        if path.is_file():
            path.write_bytes(b"")
    assert len(open_catalog(str(catalog_path))) == len(IDS)


def _refused(path: Path, message: str) -> None:
    with pytest.raises(InputError, match=message):
        spotcat.open_catalog(path)


def test_a_missing_path_is_refused(tmp_path: Path) -> None:
    _refused(tmp_path / "nothing.zarr", r"nothing\.zarr: no such catalog")


def test_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("text")
    _refused(tmp_path / "file", "file: no such catalog")


@pytest.mark.parametrize("content", [None, "", "[]", '{"attributes": {}}', '{"attributes": 3}', "\x00"])
def test_another_folder_is_refused(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "zarr.json").write_text(content)
    _refused(tmp_path, "not a spotcat catalog")


def test_the_current_folder_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    _refused(Path(), "not a spotcat catalog")


def test_another_zarr_store_is_refused(tmp_path: Path) -> None:
    zarr.create_group(tmp_path / "other.zarr", attributes={"title": "other"})
    _refused(tmp_path / "other.zarr", "not a spotcat catalog")


def test_another_version_of_the_schema_is_refused(catalog_path: Path) -> None:
    root = catalog_path / "zarr.json"
    stored = json.loads(root.read_text())
    stored["attributes"]["schema_version"] += 1
    root.write_text(json.dumps(stored))
    _refused(catalog_path, f"has version {SCHEMA_VERSION + 1} of the schema, this spotcat reads {SCHEMA_VERSION}")


def test_a_catalog_without_a_column_is_refused(catalog_path: Path) -> None:
    shutil.rmtree(catalog_path / "prot")
    _refused(catalog_path, "damaged or incomplete .*prot.*; copy it again")


def test_a_catalog_without_a_chunk_is_refused(catalog_path: Path) -> None:
    (catalog_path / "flags" / "c" / "0").unlink()
    _refused(catalog_path, "column flags has 0 of 1 chunks")


def test_a_damaged_description_is_refused(catalog_path: Path) -> None:
    (catalog_path / "prot" / "zarr.json").write_text("{")
    _refused(catalog_path, "damaged or incomplete")


def _loaded(code: str, *arguments: str) -> set[str]:
    """The libraries that a program has loaded when it ends."""
    text = f"import sys\n{code}\nprint(*sorted({{name.split('.')[0] for name in sys.modules}}))"
    done = subprocess.run(
        [sys.executable, "-c", text, *arguments], capture_output=True, text=True, check=True, timeout=60
    )
    return set(done.stdout.splitlines()[-1].split())


USING = """
import io
import spotcat
from spotcat.catalog.export import export
catalog = spotcat.open_catalog(sys.argv[1])
for form in ("table", "csv", "json"):
    export(catalog.query("prot > 5 and flags == 0"), form, io.StringIO())
    export(catalog.star("kic7"), form, io.StringIO())
"""


def test_querying_loads_neither_jax_nor_dask_nor_lightkurve(catalog_path: Path) -> None:
    loaded = _loaded(USING, str(catalog_path))
    assert "zarr" in loaded
    assert not loaded & {"jax", "jaxlib", "dask", "distributed", "lightkurve", "astropy", "matplotlib", "xarray"}


WRITING = """
sys.path.insert(0, sys.argv[2])
from pathlib import Path
from catalog_samples import write_parts
from spotcat.catalog.finalise import finalise
finalise(write_parts(Path(sys.argv[1]), [[1, 2]]), Path(sys.argv[1]) / "catalog.zarr", {})
"""


def test_writing_loads_neither_jax_nor_dask_nor_lightkurve(tmp_path: Path) -> None:
    loaded = _loaded(WRITING, str(tmp_path), str(Path(__file__).parent))
    assert "zarr" in loaded
    assert not loaded & {"jax", "jaxlib", "dask", "distributed", "lightkurve", "xarray", "pandas"}


def test_importing_any_module_but_the_lazy_one_is_cheap() -> None:
    folder = Path(spotcat.__file__).parent / "catalog"
    names = sorted(path.stem for path in folder.glob("*.py") if path.stem not in ("lazy", "store", "__init__"))
    assert {"schema", "expression", "ledger", "writer", "finalise", "query", "export"} <= set(names)
    loaded = _loaded("import " + ", ".join(f"spotcat.catalog.{name}" for name in names))
    assert "numpy" in loaded
    assert not loaded & {"zarr", "xarray", "pandas", "jax", "dask", "lightkurve", "astropy", "matplotlib"}
