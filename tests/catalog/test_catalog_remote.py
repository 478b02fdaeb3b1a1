"""A catalog behind a URL, from a real HTTP server and from a memory file system."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import fsspec
import pytest

from spotcat.catalog.query import open_catalog
from spotcat.status import InputError, RunError


class _Quiet(SimpleHTTPRequestHandler):
    asked: list[str] = []  # noqa: RUF012 -- shared by the requests of a server

    def log_message(self, format: str, *args: object) -> None:  # noqa: ARG002
        self.asked.append(self.path)


@pytest.fixture
def server(catalog_path: Path) -> Iterator[str]:
    _Quiet.asked.clear()
    handler = partial(_Quiet, directory=str(catalog_path.parent))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        thread = threading.Thread(target=running.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{running.server_address[1]}/catalog.zarr"
        running.shutdown()


def test_a_catalog_is_queried_over_http(server: str, finished: Path) -> None:
    local, remote = open_catalog(finished), open_catalog(server)
    assert len(remote) == len(local)
    expression = "prot > 5 and flags < 4"
    _Quiet.asked.clear()
    found = remote.query(expression, ["name", "prot"])
    assert sorted(path for path in _Quiet.asked if "/c/" in path) == [
        f"/catalog.zarr/{name}/c/0" for name in ("flags", "name", "prot")
    ]
    assert found.column("name").tolist() == local.query(expression).column("name").tolist()
    assert remote.star("kic7", ["star_id"]).column("star_id").tolist() == [7]
    assert remote["prot"].attrs["units"] == "d"


def test_a_chunk_that_a_server_lacks_is_an_error_and_no_fill(server: str, catalog_path: Path) -> None:
    (catalog_path / "flags" / "c" / "0").unlink()
    remote = open_catalog(server)
    assert len(remote.query("prot > 5", ["prot"])) > 0
    with pytest.raises(RunError, match=r"flags: the column is damaged .*is missing"):
        remote.query("flags == 0")


def test_a_catalog_in_any_file_system_is_opened(finished: Path) -> None:
    memory = fsspec.filesystem("memory")
    memory.put(str(finished), "/survey/catalog.zarr", recursive=True)
    assert len(open_catalog("memory://survey/catalog.zarr").query("flags == 0", ["name"])) > 0
    assert len(open_catalog(finished.as_uri())) == 20


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("{server}/none.zarr", "no such catalog"),
        ("memory://nothing/here", "no such catalog"),
        ("nonsense://host/catalog.zarr", "cannot be opened"),
        ("http://127.0.0.1:1/catalog.zarr", "cannot be read"),
    ],
)
def test_a_bad_url_is_one_sentence(server: str, url: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        open_catalog(url.format(server=server))
