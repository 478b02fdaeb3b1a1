"""A local archive: real files over HTTP, listings as the public buckets give them, and every way to misbehave."""

from __future__ import annotations

import hashlib
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

PAGE = 3
"""Keys in one answer to a listing, to make listings come in several."""


@dataclass
class Archive:
    """What the server has and how it behaves.

    ``trouble`` is by key a kind of misbehaviour and for how many requests it lasts.
    """

    files: dict[str, bytes]
    trouble: dict[str, tuple[str, int]] = field(default_factory=dict)
    requests: Counter[str] = field(default_factory=Counter)
    times: list[float] = field(default_factory=list)
    at_once: int = 0
    most_at_once: int = 0
    url: str = ""
    lock: threading.Lock = field(default_factory=threading.Lock)


@contextmanager
def serving(archive: Archive) -> Iterator[Archive]:
    class Handler(_Handler):
        pass

    Handler.archive = archive
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    archive.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield archive
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    archive: Archive

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        archive = self.archive
        parts = urlsplit(self.path)
        key = unquote(parts.path.lstrip("/"))
        with archive.lock:
            archive.requests[key] += 1
            archive.times.append(time.monotonic())
            archive.at_once += 1
            archive.most_at_once = max(archive.most_at_once, archive.at_once)
            kind, lasting = archive.trouble.get(key, ("", 0))
            troubled = archive.requests[key] <= lasting
        try:
            if not key:
                self._answer(200, self._listing(parse_qs(parts.query)))
            elif troubled:
                self._misbehave(kind, archive.files[key])
            elif key in archive.files:
                self._file(archive.files[key])
            else:
                self._answer(404, b"no such key")
        except (BrokenPipeError, ConnectionResetError):
            pass
        finally:
            with archive.lock:
                archive.at_once -= 1

    def _file(self, contents: bytes, etag: str = "", length: int = -1) -> None:
        self.send_response(200)
        self.send_header("ETag", f'"{etag or hashlib.md5(contents).hexdigest()}"')
        self.send_header("Content-Length", str(len(contents) if length < 0 else length))
        self.end_headers()
        self.wfile.write(contents)

    def _answer(self, code: int, body: bytes, **headers: str) -> None:
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _misbehave(self, kind: str, contents: bytes) -> None:
        match kind:
            case "lag":
                time.sleep(0.3)
                self._file(contents)
            case "slow":
                time.sleep(1.2)
                self._file(contents)
            case "stalls":
                self._file(contents[:1000], length=len(contents))
                self.wfile.flush()
                time.sleep(1.2)
            case "cut":
                self._file(contents[: len(contents) // 2], length=len(contents))
            case "hangs up":
                self.close_connection = True
            case "error":
                self._answer(500, b"internal error")
            case "busy":
                self._answer(503, b"slow down", Retry_After="1")
            case "page":
                self._answer(200, b"<!DOCTYPE html><html><body>Maintenance</body></html>")
            case "short":
                # A file that was cut before the server got it.
                self._file(contents[: len(contents) // 2])
            case "long":
                self._file(contents + contents[:2880])
            case "flipped":
                self._file(contents[:-1] + bytes([contents[-1] ^ 1]), hashlib.md5(contents).hexdigest())
            case "forbidden":
                self._answer(403, b"")

    def _listing(self, query: dict[str, list[str]]) -> bytes:
        (prefix,) = query.get("prefix", [""])
        (delimiter,) = query.get("delimiter", [""])
        start = int(query.get("continuation-token", ["0"])[0])
        keys = sorted(key for key in self.archive.files if key.startswith(prefix))
        if delimiter:
            folders = sorted({prefix + key[len(prefix) :].split(delimiter)[0] + delimiter for key in keys})
            entries = [f"<CommonPrefixes><Prefix>{escape(name)}</Prefix></CommonPrefixes>" for name in folders]
        else:
            sizes = {key: len(self.archive.files[key]) for key in keys}
            entries = [f"<Contents><Key>{escape(key)}</Key><Size>{sizes[key]}</Size></Contents>" for key in keys]
        page = entries[start : start + PAGE]
        more = f"<NextContinuationToken>{start + PAGE}</NextContinuationToken>" if start + PAGE < len(entries) else ""
        head = '<?xml version="1.0"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
        return f"{head}{''.join(page)}{more}</ListBucketResult>".encode()
