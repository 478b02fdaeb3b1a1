from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from catalog_samples import arrays, columns, content

from spotcat.catalog.schema import COLUMNS
from spotcat.catalog.writer import read_part, recorded_checksum, write_part
from spotcat.status import RunError

HERE = str(Path(__file__).parent)


def _same(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> bool:
    return one.keys() == other.keys() and all(
        np.array_equal(one[name], other[name], equal_nan=one[name].dtype.kind == "f") for name in one
    )


def _file(folder: Path) -> Path:
    (path,) = (path for path in folder.iterdir() if path.suffix != ".partial")
    return path


def test_a_part_comes_back_as_it_was_written(tmp_path: Path) -> None:
    given = {**columns(range(5)), **arrays(range(5))}
    checksum = write_part(tmp_path / "c1", columns(range(5)), arrays(range(5)))
    found = read_part(tmp_path / "c1")
    for name, values in given.items():
        expected = values.astype(found[name].dtype) if values.dtype.kind == "f" else values
        assert np.array_equal(found[name], expected, equal_nan=values.dtype.kind == "f"), name
    assert recorded_checksum(tmp_path / "c1") == checksum
    assert [path.name for path in tmp_path.iterdir()] == ["c1"]


def test_missing_columns_get_their_fill(tmp_path: Path) -> None:
    least = {"star_id": np.array([3, 1]), "name": np.array(["a", "b"]), "status": np.array([9, 9])}
    write_part(tmp_path, least, {})
    found = read_part(tmp_path)
    assert found.keys() == {column.name for column in COLUMNS}
    for column in COLUMNS:
        if column.name not in least:
            equal_nan = found[column.name].dtype.kind == "f"
            assert np.array_equal(found[column.name], np.array([column.fill] * 2), equal_nan=equal_nan), column.name


def test_a_chunk_without_stars_is_a_part(tmp_path: Path) -> None:
    write_part(tmp_path, columns([]), arrays([]))
    assert all(len(values) == 0 for values in read_part(tmp_path).values())


def test_equal_content_gives_equal_bytes_and_checksum(tmp_path: Path) -> None:
    first = write_part(tmp_path / "a", columns(range(4)), arrays(range(4)))
    time.sleep(2.1)  # zip files store times in steps of two seconds
    shuffled = dict(reversed(columns(range(4)).items()))
    assert write_part(tmp_path / "b", shuffled, arrays(range(4))) == first
    assert content(tmp_path / "a") == content(tmp_path / "b")
    other = columns(range(4))
    other["prot"] = np.nextafter(other["prot"], np.inf)
    assert write_part(tmp_path / "c", other, arrays(range(4))) != first


def test_a_part_is_replaced(tmp_path: Path) -> None:
    write_part(tmp_path, columns(range(4)), {})
    checksum = write_part(tmp_path, columns(range(4, 7)), {})
    assert read_part(tmp_path)["star_id"].tolist() == [4, 5, 6]
    assert recorded_checksum(tmp_path) == checksum
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"prott": np.zeros(3)}, "not in the catalog's schema: prott"),
        ({"prot": np.zeros(2)}, "'prot' has shape"),
        ({"prot": np.zeros((3, 1))}, "'prot' has shape"),
        ({"prot": np.array(["a", "b", "c"])}, "'prot' is f8"),
        ({"n_points": np.zeros(3)}, "'n_points' is i4"),
        ({"status": np.array([0, 0, 200])}, "'status' has values too large for i1"),
        ({"status": None}, "'status' must be given"),
        ({"star_id": None}, "'star_id' must be given"),
    ],
)
def test_columns_that_do_not_fit_are_refused(
    tmp_path: Path, change: dict[str, np.ndarray | None], message: str
) -> None:
    given = {name: values for name, values in {**columns(range(3)), **change}.items() if values is not None}
    with pytest.raises(ValueError, match=message):
        write_part(tmp_path / "c", given, {})
    assert not (tmp_path / "c").exists()


def test_a_truncated_part_is_refused(tmp_path: Path) -> None:
    checksum = write_part(tmp_path, columns(range(3)), arrays(range(3)))
    whole = _file(tmp_path).read_bytes()
    for length in range(0, len(whole), 97):
        _file(tmp_path).write_bytes(whole[:length])
        assert recorded_checksum(tmp_path) != checksum
        with pytest.raises(RunError, match="delete it and run again"):
            read_part(tmp_path)


def test_a_flipped_bit_is_refused_or_harmless(tmp_path: Path) -> None:
    write_part(tmp_path, columns(range(3)), arrays(range(3)))
    sound = read_part(tmp_path)
    whole = _file(tmp_path).read_bytes()
    random = np.random.default_rng(1)
    refused = 0
    for place in random.choice(len(whole), 400, replace=False):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << int(random.integers(8))
        _file(tmp_path).write_bytes(damaged)
        recorded_checksum(tmp_path)
        try:
            # Only the zip file's own unused fields, such as its times, may pass.
            assert _same(read_part(tmp_path), sound)
        except RunError as error:
            assert str(tmp_path) in str(error)
            refused += 1
    assert refused > 300


def test_a_missing_part_is_named(tmp_path: Path) -> None:
    assert recorded_checksum(tmp_path / "c7") is None
    with pytest.raises(RunError, match="c7: the part is missing"):
        read_part(tmp_path / "c7")


def _python(code: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {HERE!r})\n{code}", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


_WRITE_LARGE = """
from pathlib import Path
import numpy as np
from catalog_samples import columns
from spotcat.catalog.writer import write_part
large = np.random.default_rng(0).normal(size=(4, 2_000_000))
print("ready", flush=True)
write_part(Path(sys.argv[1]), columns(range(4, 8)), {"gp_period": large})
"""


def test_killed_while_writing_leaves_the_old_part(tmp_path: Path) -> None:
    checksum = write_part(tmp_path, columns(range(4)), arrays(range(4)))
    before = content(tmp_path)
    process = _python(_WRITE_LARGE, str(tmp_path))
    while process.poll() is None and not list(tmp_path.glob("*.partial")):
        pass
    process.send_signal(signal.SIGKILL)
    process.wait()
    left = list(tmp_path.glob("*.partial"))
    assert len(left) == 1, "the process was not in the middle of writing"
    assert recorded_checksum(tmp_path) == checksum
    left[0].unlink()
    assert content(tmp_path) == before


_WRITE_OFTEN = """
from pathlib import Path
from catalog_samples import columns
from spotcat.catalog.writer import write_part
for _ in range(30):
    write_part(Path(sys.argv[1]), columns(range(50)), {})
"""


def test_several_processes_may_write_the_same_part(tmp_path: Path) -> None:
    processes = [_python(_WRITE_OFTEN, str(tmp_path)) for _ in range(3)]
    for process in processes:
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
    assert len(list(tmp_path.iterdir())) == 1
    assert recorded_checksum(tmp_path) == write_part(tmp_path / "alone", columns(range(50)), {})
    assert read_part(tmp_path)["star_id"].tolist() == list(range(50))


_WRITE_TO_FULL = """
import resource
from pathlib import Path
from catalog_samples import columns
from spotcat.catalog.writer import write_part
from spotcat.status import RunError
resource.setrlimit(resource.RLIMIT_FSIZE, (2000, resource.RLIM_INFINITY))
try:
    write_part(Path(sys.argv[1]), columns(range(4, 8)), {})
except RunError as error:
    print(error)
"""


@pytest.mark.skipif(not hasattr(resource, "RLIMIT_FSIZE"), reason="no limit on the size of files here")
def test_no_room_for_a_part_is_an_error_that_names_it(tmp_path: Path) -> None:
    write_part(tmp_path, columns(range(4)), {})
    before = content(tmp_path)
    output, errors = _python(_WRITE_TO_FULL, str(tmp_path)).communicate(timeout=60)
    assert "cannot be written (File too large)" in output, errors
    assert str(tmp_path) in output
    assert content(tmp_path) == before


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "parts").write_text("a file in the way")
    with pytest.raises(RunError, match=r"parts/c1.*: cannot be written"):
        write_part(tmp_path / "parts" / "c1", columns(range(2)), {})


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes into read-only folders")
def test_a_read_only_folder_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o555)
    with pytest.raises(RunError, match=r"c1.*: cannot be written \(Permission denied\)"):
        write_part(tmp_path / "c1", columns(range(2)), {})
