"""Names and paths of any bytes, in any locale, through the whole of the command line."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import spotcat
from spotcat import cli, commands
from spotcat.catalog.finalise import finalise
from spotcat.catalog.writer import write_part
from spotcat.status import InputError
from spotcat.text import argument_text, file_text, system_path, written

LOCALES = {
    "UTF-8": {"LC_ALL": "C.UTF-8", "PYTHONUTF8": "0"},
    "ASCII": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
}
NAMES = ("\u03b2 Pic", "\u661f 1", "\\xe9toile", "a\\nb", "HD 1, A", 'say "x"', "e\u0301toile")
FILES = (*(name.encode() for name in NAMES if name not in ("\\xe9toile", "a\\nb")), b"\xe9toile", b"a\nb")


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"plain", "plain"),
        ("\u03b2 Pic".encode(), "\u03b2 Pic"),
        (b"\xe9toile", "\\xe9toile"),
        ("e\u0301toile".encode(), "\u00e9toile"),
        (b"a\nb\tc\x07\x7f", "a\\nb\\tc\\x07\\x7f"),
        ("a\u2028b\u0085c\uffffd".encode(), "a\\u2028b\\x85c\\uffffd"),
    ],
)
def test_names_of_files_become_text(raw: bytes, text: str) -> None:
    assert file_text(os.fsdecode(raw)) == text
    assert written(text) == text
    assert text.encode().decode() == text


def test_arguments_and_paths_are_as_they_were_where_the_locale_can_write_them() -> None:
    for text in NAMES:
        assert argument_text(text) == system_path(text) == text
    assert argument_text(os.fsdecode(b"\xe9toile")) == "\\xe9toile"


def _python(locale: str, *arguments: str | bytes, cwd: Path) -> subprocess.CompletedProcess[bytes]:
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("LC_", "LANG", "PYTHONUTF"))
    }
    command = [sys.executable, *arguments]
    return subprocess.run(
        command, capture_output=True, timeout=120, check=False, cwd=cwd, env=environment | LOCALES[locale]
    )


@pytest.fixture(scope="module")
def surveys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A survey of tables with hard names, in a folder with one, ingested once in each locale."""
    folder = tmp_path_factory.mktemp("names")
    data = folder / "d\u00e4ta"
    data.mkdir()
    for k, name in enumerate(FILES):
        time = 0.5 * np.arange(60)
        flux = 1 + 0.01 * np.sin(time + k)
        rows = "".join(f"{t!r},{f!r}\n" for t, f in zip(time.tolist(), flux.tolist(), strict=True))
        (data / os.fsdecode(name + b".csv")).write_text("time,flux\n" + rows)
    for locale in LOCALES:
        # A folder, or a glob: the recipe is UTF-8 wherever it is read.
        head = f'[survey]\nname = "s\u00fc\u00df"\noutput = "r\u00fcn/{locale}"\nseed = 1\n'
        recipe = f'{head}[input]\nfiles = ["d\u00e4ta{"/*" if locale == "ASCII" else ""}"]\n'
        (folder / f"{locale}.toml").write_text(recipe, encoding="utf-8")
        done = _python(locale, "-m", "spotcat", "ingest", f"{locale}.toml", cwd=folder)
        assert done.returncode == 0, done.stderr
    return folder


def test_the_locale_changes_no_byte_of_a_store(surveys: Path) -> None:
    stores = [surveys / "r\u00fcn" / locale / "lightcurves.zarr" for locale in LOCALES]
    trees = [{p.relative_to(s): p.read_bytes() for p in s.rglob("*") if p.is_file()} for s in stores]
    assert trees[0] == trees[1]
    assert len(trees[0]) > 10


@pytest.mark.parametrize("locale", LOCALES)
def test_names_of_any_bytes_are_stars(surveys: Path, locale: str) -> None:
    from spotcat.ingest.store import LightCurveStore

    store = LightCurveStore(surveys / "r\u00fcn" / locale / "lightcurves.zarr")
    assert sorted(store.stars["name"].tolist()) == sorted(map(written, NAMES))
    assert not store.stars["status"].any() and not store.left_out["file"].size
    log = (surveys / "r\u00fcn" / locale / "spotcat.log").read_text(encoding="utf-8")
    assert "s\u00fc\u00df" in log


@pytest.mark.parametrize("locale", LOCALES)
def test_commands_print_what_a_terminal_can_show(surveys: Path, locale: str) -> None:
    run = f"r\u00fcn/{locale}".encode()
    done = _python(locale, "-m", "spotcat", "status", run, cwd=surveys)
    assert (done.returncode, done.stderr) == (0, b"")
    assert ("s\u00fc\u00df".encode() if locale == "UTF-8" else b"s\\xfc\\xdf") in done.stdout
    done = _python(locale, "-m", "spotcat", "status", b"\xe9 not there", cwd=surveys)
    assert done.returncode == 2 and done.stderr.startswith(b"spotcat: \\udce9 not there")


@pytest.mark.parametrize("locale", LOCALES)
def test_a_catalog_is_asked_for_any_name(tmp_path: Path, locale: str) -> None:
    names = np.array(sorted(map(written, NAMES)))
    number = np.arange(names.size)
    write_part(tmp_path / "part", {"star_id": number, "name": names, "status": number.astype("i1")}, {})
    finalise([tmp_path / "part"], tmp_path / "catalog.zarr", {})
    done = _python(locale, "-m", "spotcat", "query", "catalog.zarr", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, b"")
    assert ("\u03b2 Pic".encode() if locale == "UTF-8" else b"\\u03b2 Pic") in done.stdout
    # Another spelling of the same letters finds the star too.
    for asked in ("\u03b2 pic".encode(), "e\u0301TOILE".encode(), b"\\xe9toile"):
        command = ("query", "catalog.zarr", "--count", "--star", asked)
        assert _python(locale, "-m", "spotcat", *command, cwd=tmp_path).stdout == b"1\n"


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("A,B", ["A", "B"]),
        (" A , B ,", ["A", "B"]),
        ('"HD 1, A",B', ["HD 1, A", "B"]),
        ('B, "HD 1, A"', ["B", "HD 1, A"]),
        ("", []),
        (os.fsdecode(b"\xe9toile"), ["\\xe9toile"]),
        ("e\u0301toile", ["\u00e9toile"]),
    ],
)
def test_names_of_stars_in_an_option(text: str, names: list[str]) -> None:
    assert commands._stars(text) == names


def test_names_of_stars_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "stars.txt"
    path.write_text('\ufeff# ours\nHD 1, A\n\n  \u03b2 Pic  \nsay "x"\nGaia #5\n', encoding="utf-8")
    assert commands._stars(str(path)) == ["HD 1, A", "\u03b2 Pic", 'say "x"', "Gaia #5"]
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match=r"--stars: .*stars\.txt' cannot be read"):
        commands._stars(str(path))


def test_the_output_of_main_escapes_what_it_cannot_encode(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["status", os.fsdecode(b"\xe9")]) == 2
    assert capsys.readouterr().err.startswith("spotcat: \\udce9")


def _is_text_without_encoding(call: ast.Call) -> bool:
    """Whether a call opens, reads or writes a text file in the encoding of the locale."""
    name = getattr(call.func, "attr", getattr(call.func, "id", ""))
    owner = ast.unparse(call.func.value) if isinstance(call.func, ast.Attribute) else ""
    modes = {node.value for node in call.args if isinstance(node, ast.Constant)}
    opens = name == "open" and owner not in ("fits", "os") and not modes & {"rb", "wb", "xb", "ab", "r+b", "a+b"}
    return (opens or name in ("read_text", "write_text")) and "encoding" not in {k.arg for k in call.keywords}


def test_every_text_file_names_its_encoding() -> None:
    package = Path(spotcat.__file__).parent
    found = [
        f"{path.relative_to(package)}:{node.lineno}"
        for path in package.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and _is_text_without_encoding(node)
    ]
    assert found == []
    for code in ("open(p)", "p.open('w')", "Path(p).read_text()", "p.write_text(x)"):
        assert _is_text_without_encoding(ast.parse(code, mode="eval").body)  # type: ignore[arg-type]
