from __future__ import annotations

import itertools
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
import zarr
from catalog_samples import arrays, columns, content, write_parts

from spotcat.catalog.finalise import finalise
from spotcat.catalog.query import open_catalog
from spotcat.catalog.schema import ARRAYS, COLUMNS, attributes
from spotcat.catalog.selection import Catalog
from spotcat.catalog.writer import write_part
from spotcat.status import InputError, RunError

HERE = str(Path(__file__).parent)
ATTRIBUTES = {"survey": "sample", "fit_parameters": ["a", "b", "c"]}


def _expect(catalog: Catalog | xr.Dataset, ids: list[int]) -> None:
    for name, values in {**columns(ids), **arrays(ids)}.items():
        found = catalog[name].values
        if values.dtype.kind == "f":
            np.testing.assert_array_equal(found, values.astype(found.dtype), err_msg=name)
        else:
            assert found.tolist() == values.tolist(), name


def test_stars_come_back_sorted_with_their_own_rows(tmp_path: Path) -> None:
    parts = write_parts(tmp_path, [[7, 2, 90], [1, 55], [4, 3]])
    assert finalise(parts, tmp_path / "catalog.zarr", ATTRIBUTES) == 7
    _expect(open_catalog(tmp_path / "catalog.zarr"), [1, 2, 3, 4, 7, 55, 90])


def test_the_store_describes_itself(catalog: Catalog, finished: Path) -> None:
    assert catalog.attrs["survey"] == "sample"
    assert catalog.attrs["fit_parameters"] == ["a", "b", "c"]
    # Without a star whose posterior was sampled there are no draws.
    held = [*COLUMNS, *(array for array in ARRAYS if "draw" not in array.dims)]
    assert list(catalog.dataset.data_vars) == [column.name for column in held]
    for column in held:
        assert catalog[column.name].attrs == attributes(column)
        assert catalog[column.name].dims == column.dims
        expected = np.dtype(object if column.dtype == "str" else column.dtype)
        assert catalog[column.name].dtype == expected
    group = zarr.open_group(finished, mode="r")
    codecs = {type(codec).__name__ for _, array in group.arrays() for codec in array.compressors}
    assert codecs == {"BloscCodec", "ZstdCodec", "Crc32cCodec"}


@pytest.mark.filterwarnings("error")
def test_any_xarray_reads_the_store_and_nothing_warns(tmp_path: Path) -> None:
    parts = write_parts(tmp_path, [[3, 1, 2]])
    finalise(parts, tmp_path / "catalog.zarr", ATTRIBUTES)
    _expect(xr.open_dataset(tmp_path / "catalog.zarr", engine="zarr", consolidated=False), [1, 2, 3])
    _expect(open_catalog(tmp_path / "catalog.zarr"), [1, 2, 3])


def test_rows_beyond_one_chunk_are_in_their_place(tmp_path: Path) -> None:
    ids = np.random.default_rng(0).permutation(70_000)
    parts = []
    for number, some in enumerate(np.array_split(ids, 3)):
        prot = np.sqrt(some)
        parts.append(tmp_path / "parts" / str(number))
        status = np.zeros(len(some), dtype=int)
        given = {"star_id": some, "name": some.astype(str), "status": status, "prot": prot}
        write_part(parts[-1], given, {"gp_period": np.outer(prot, [1, 2])})
    assert finalise(parts, tmp_path / "catalog.zarr", {}) == 70_000
    catalog = open_catalog(tmp_path / "catalog.zarr")
    assert catalog["star_id"].values.tolist() == list(range(70_000))
    np.testing.assert_array_equal(catalog["prot"].values, np.sqrt(np.arange(70_000)))
    np.testing.assert_array_equal(catalog["gp_period"].values[:, 1], 2 * np.sqrt(np.arange(70_000)))
    assert catalog["name"].values[65_536] == "65536"
    assert len(list((tmp_path / "catalog.zarr" / "prot" / "c").iterdir())) == 2


def test_the_bytes_depend_on_nothing_but_the_stars(tmp_path: Path) -> None:
    ids = list(range(9))
    results = []
    for number, chunks in enumerate([[ids], [ids[6:], ids[:3], ids[3:6]], [[n] for n in reversed(ids)]]):
        folder = tmp_path / str(number)
        parts = write_parts(folder, chunks)
        given = ATTRIBUTES if number else dict(reversed(ATTRIBUTES.items()))
        finalise(parts[::-1] if number == 1 else parts, folder / "catalog.zarr", given)
        results.append(content(folder / "catalog.zarr"))
    assert all(result == results[0] for result in results)


def test_finalising_twice_gives_the_same_bytes_and_leaves_nothing(tmp_path: Path) -> None:
    parts = write_parts(tmp_path, [range(6)])
    finalise(parts, tmp_path / "catalog.zarr", ATTRIBUTES)
    before = content(tmp_path)
    finalise([*parts, *parts], tmp_path / "catalog.zarr", ATTRIBUTES)
    assert content(tmp_path) == before


def test_a_chunk_without_fits_may_lack_the_arrays(tmp_path: Path) -> None:
    parts = write_parts(tmp_path, [[0, 1]])
    parts.append(tmp_path / "parts" / "bad")
    write_part(parts[-1], columns([2, 5]), {})
    finalise(parts, tmp_path / "catalog.zarr", ATTRIBUTES)
    catalog = open_catalog(tmp_path / "catalog.zarr")
    assert np.isnan(catalog["gp_period"].values[2:]).all()
    np.testing.assert_array_equal(catalog["gp_period"].values[:2], arrays([0, 1])["gp_period"])


def test_no_arrays_and_no_stars_are_a_catalog(tmp_path: Path) -> None:
    write_part(tmp_path / "c", columns([]), {})
    assert finalise([tmp_path / "c"], tmp_path / "catalog.zarr", {}) == 0
    catalog = open_catalog(tmp_path / "catalog.zarr")
    assert catalog.dataset.sizes == {"star": 0}
    assert len(catalog) == 0
    assert catalog["name"].values.tolist() == []


def test_no_parts_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nothing to finalise"):
        finalise([], tmp_path / "catalog.zarr", {})


def _refused(parts: list[Path], target: Path, message: str) -> None:
    """Finalising fails with a message and leaves the catalog that was there."""
    before = content(target)
    siblings = sorted(target.parent.iterdir())
    with pytest.raises(RunError, match=message):
        finalise(parts, target, ATTRIBUTES)
    assert content(target) == before
    assert sorted(target.parent.iterdir()) == siblings


def test_a_star_in_two_parts_is_refused(catalog_path: Path, tmp_path: Path) -> None:
    parts = write_parts(tmp_path / "other", [[1, 2, 3], [9, 3]])
    _refused(parts, catalog_path, r"star 3 is in two rows, of .*c0000 and .*c0001")


def test_a_star_twice_in_a_part_is_refused(catalog_path: Path, tmp_path: Path) -> None:
    parts = write_parts(tmp_path / "other", [[1, 2, 1]])
    _refused(parts, catalog_path, r"star 1 is in two rows")


def test_a_missing_part_is_refused(catalog_path: Path, tmp_path: Path) -> None:
    parts = write_parts(tmp_path / "other", [[1]])
    _refused([*parts, tmp_path / "other" / "parts" / "c0001"], catalog_path, "c0001: the part is missing")


def test_a_truncated_part_is_refused(catalog_path: Path, tmp_path: Path) -> None:
    parts = write_parts(tmp_path / "other", [[1], [2]])
    (path,) = parts[1].iterdir()
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    _refused(parts, catalog_path, "c0001: the part .*; delete it and run again")


def test_a_flipped_bit_in_a_part_is_refused(catalog_path: Path, tmp_path: Path) -> None:
    parts = write_parts(tmp_path / "other", [[1], [2]])
    (path,) = parts[1].iterdir()
    damaged = bytearray(path.read_bytes())
    damaged[damaged.index(b"columns_f8/c/0/0") + 30] ^= 4
    path.write_bytes(damaged)
    _refused(parts, catalog_path, "c0001: the part .*; delete it and run again")


def test_parts_of_different_widths_are_refused(catalog_path: Path, tmp_path: Path) -> None:
    parts = [tmp_path / "other" / name for name in ("a", "b")]
    for width, folder in enumerate(parts, start=4):
        write_part(folder, columns([width]), {"gp_period": np.ones((1, width))})
    _refused(parts, catalog_path, "b: 'gp_period' is 5 wide, 4 in other parts")


def test_another_folder_is_not_replaced(tmp_path: Path) -> None:
    parts = write_parts(tmp_path, [[1]])
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "thesis.tex").write_text("years of work")
    with pytest.raises(InputError, match="notes: holds something else"):
        finalise(parts, tmp_path / "notes", {})
    assert (tmp_path / "notes" / "thesis.tex").read_text() == "years of work"


def _python(code: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {HERE!r})\n{code}", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


_FINALISE_OFTEN = """
import itertools
from pathlib import Path
from spotcat.catalog.finalise import finalise
parts, target = sorted((Path(sys.argv[1]) / "parts").iterdir()), Path(sys.argv[1]) / "catalog.zarr"
for number in itertools.count():
    finalise(parts, target, {"number": number})
    print(number, flush=True)
"""


def test_killed_while_finalising_leaves_the_old_catalog(tmp_path: Path) -> None:
    parts = write_parts(tmp_path, [range(6)])
    finalise(parts, tmp_path / "catalog.zarr", {"number": -1})
    before = content(tmp_path / "catalog.zarr")
    process = _python(_FINALISE_OFTEN, str(tmp_path))
    while process.poll() is None and not (tmp_path / "catalog.zarr.partial" / "prot").exists():
        pass
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert (tmp_path / "catalog.zarr.partial").exists(), "the process was not in the middle of finalising"
    assert content(tmp_path / "catalog.zarr") == before
    _expect(open_catalog(tmp_path / "catalog.zarr"), list(range(6)))
    finalise(parts, tmp_path / "catalog.zarr", {"number": -1})
    assert content(tmp_path / "catalog.zarr") == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["catalog.zarr", "parts"]


def test_killed_at_any_moment_leaves_a_whole_catalog(tmp_path: Path) -> None:
    parts = write_parts(tmp_path, [range(6)])
    target = tmp_path / "catalog.zarr"
    finalise(parts, target, {"number": -1})
    for delay in np.random.default_rng(2).uniform(0, 0.3, 5):
        process = _python(_FINALISE_OFTEN, str(tmp_path))
        assert process.stdout is not None
        process.stdout.readline()
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(timeout=delay)
        process.kill()
        process.wait()
        _expect(open_catalog(target), list(range(6)))
    finalise(parts, target, {"number": -1})
    finalise(parts, tmp_path / "undisturbed.zarr", {"number": -1})
    assert content(target) == content(tmp_path / "undisturbed.zarr")


@pytest.mark.parametrize("left", list(itertools.product([False, True], repeat=2)))
def test_killed_between_the_two_renames_loses_nothing(tmp_path: Path, left: tuple[bool, bool]) -> None:
    """The folders as a kill leaves them: the old catalog aside, the new one in place or not."""
    new_in_place, half_deleted = left
    parts = write_parts(tmp_path, [range(6)])
    target = tmp_path / "catalog.zarr"
    finalise(parts, target, ATTRIBUTES)
    before = content(target)
    target.rename(tmp_path / "catalog.zarr.previous")
    if new_in_place:
        finalise(parts, tmp_path / "new.zarr", {"number": 1})
        (tmp_path / "new.zarr").rename(target)
    if half_deleted:
        (tmp_path / "catalog.zarr.partial").mkdir()
        (tmp_path / "catalog.zarr.partial" / "zarr.json").write_text("{}")
    catalog = open_catalog(target)
    _expect(catalog, list(range(6)))
    assert ("number" in catalog.attrs) == new_in_place
    finalise(parts, target, ATTRIBUTES)
    assert content(target) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["catalog.zarr", "parts"]


_FINALISE_TO_FULL = """
import resource
from pathlib import Path
from spotcat.catalog.finalise import finalise
from spotcat.status import RunError
resource.setrlimit(resource.RLIMIT_FSIZE, (700, resource.RLIM_INFINITY))
try:
    finalise(sorted((Path(sys.argv[1]) / "parts").iterdir()), Path(sys.argv[1]) / "catalog.zarr", {})
except RunError as error:
    print(error)
"""


def test_no_room_for_a_catalog_is_an_error_that_names_it(tmp_path: Path) -> None:
    parts = write_parts(tmp_path, [range(6)])
    finalise(parts, tmp_path / "catalog.zarr", ATTRIBUTES)
    before = content(tmp_path)
    output, errors = _python(_FINALISE_TO_FULL, str(tmp_path)).communicate(timeout=60)
    assert output == f"{tmp_path / 'catalog.zarr'}: cannot be written (File too large)\n", errors
    assert content(tmp_path) == before


def test_a_target_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    parts = write_parts(tmp_path, [[1]])
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(RunError, match=r"file/catalog.zarr: cannot be written"):
        finalise(parts, tmp_path / "file" / "catalog.zarr", {})
