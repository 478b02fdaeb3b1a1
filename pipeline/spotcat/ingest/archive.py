"""Which files of an archive a target means: by its number in the public buckets, or by lightkurve's search.

The buckets are asked over plain HTTP for what lies under a star's prefix (Amazon's ListObjectsV2), so no file name has
to be guessed.  Their layout is that of the Registry of Open Data:
``kepler/public/lightcurves/0082/008264588/`` and ``tess/public/tid/s0015/0000/0003/7542/2201/``.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any
from urllib.parse import quote, urlencode

from spotcat.ingest.download import Failure, Missing, Remote, Server
from spotcat.ingest.identity import parse_name

BUCKET = "https://stpubdata.s3.us-east-1.amazonaws.com"
MAST = "https://mast.stsci.edu/api/v0.1/Download/file"

_NAMESPACE = {"s3": "http://s3.amazonaws.com/doc/2006-03-01/"}
_KEPLER_FILE = {"long": r"_llc\.fits$", "short": r"_slc\.fits$"}
_SECTOR = re.compile(r"sector\s*(\d{1,4})", re.IGNORECASE)
_SHORT = 100.0
"""Exposures under this [s] are short cadence in every mission."""
_TESS_FILE = {"long": r"-s_lc\.fits$", "short": r"-a_fast-lc\.fits$"}


@dataclass(frozen=True, slots=True)
class Request:
    """What is wanted of every target.

    Attributes:
        author: take this author's files; empty for the missions' own.
        campaigns: quarters, campaigns or sectors; empty for all.
        cadence: long or short: 30 min or 1 min of Kepler, 2 min or 20 s of TESS.
        radius: of a cone around each target [arcsec]; 0 for the target alone.
    """

    author: str = ""
    campaigns: tuple[int, ...] = ()
    cadence: str = "long"
    radius: float = 0.0


def is_in_bucket(target: str, request: Request) -> bool:
    """Whether the bucket's layout tells where a target's files are."""
    identity = parse_name(target)
    known = _SECTOR.fullmatch(target) or (identity is not None and identity.mission in ("Kepler", "TESS"))
    return bool(known) and request.author in ("", "Kepler", "SPOC") and not request.radius


class Bucket:
    """A public bucket of light curves.

    Args:
        url: its address.
        server: how to ask it.
    """

    def __init__(self, url: str, server: Server) -> None:
        self._url = url.rstrip("/")
        self._server = server
        self._sectors: tuple[int, ...] = ()
        self._lock = Lock()

    def find(self, target: str, request: Request) -> list[Remote] | Missing:
        """The files of a KIC or TIC star, or of a whole sector such as ``sector 15``."""
        identity = parse_name(target)
        kepler = identity is not None and identity.mission == "Kepler"
        try:
            folders = self._prefixes(target, request)
            listed = [entry for folder in folders for entry in self._list(folder)]
        except Failure as failure:
            return Missing(target, "", self._url, f"the bucket cannot be listed: {failure}")
        pattern = re.compile((_KEPLER_FILE if kepler else _TESS_FILE)[request.cadence])
        found = [
            Remote(f"{self._url}/{quote(key)}", key, size, target)
            for key, size in listed
            if pattern.search(key) and ".." not in key and (not kepler or _is_wanted(key, request.campaigns))
        ]
        return found or Missing(target, "", f"{self._url}/{folders[0] if folders else ''}", "no light curve found")

    def _prefixes(self, target: str, request: Request) -> list[str]:
        """The folders in which a target's files are."""
        sector = _SECTOR.fullmatch(target)
        if sector:
            return [f"tess/public/tid/s{int(sector[1]):04d}/"]
        identity = parse_name(target)
        assert identity is not None
        if identity.mission == "Kepler":
            return [f"kepler/public/lightcurves/{identity.mission_id:09d}"[:-5] + f"/{identity.mission_id:09d}/"]
        digits = f"{identity.mission_id:016d}"
        path = "/".join(digits[k : k + 4] for k in range(0, 16, 4))
        return [f"tess/public/tid/s{sector:04d}/{path}/" for sector in request.campaigns or self._all_sectors()]

    def _all_sectors(self) -> tuple[int, ...]:
        with self._lock:
            if not self._sectors:
                names = [name for name, _ in self._list("tess/public/tid/", delimiter="/")]
                matches = [re.search(r"/s(\d{4})/$", name) for name in names]
                self._sectors = tuple(sorted(int(match[1]) for match in matches if match))
            return self._sectors

    def _list(self, prefix: str, delimiter: str = "") -> Iterator[tuple[str, int]]:
        """Keys and sizes [bytes] under a prefix, or the folders below it."""
        token = ""
        while True:
            query = {"list-type": "2", "prefix": prefix, "delimiter": delimiter, "continuation-token": token}
            answer = self._server.get(f"{self._url}/?{urlencode({k: v for k, v in query.items() if v})}")
            try:
                root = ElementTree.fromstring(answer)
            except ElementTree.ParseError:
                raise Failure("the answer is no listing") from None
            for entry in root.iterfind("s3:Contents", _NAMESPACE):
                yield _text(entry, "Key"), int(_text(entry, "Size") or -1)
            for entry in root.iterfind("s3:CommonPrefixes", _NAMESPACE):
                yield _text(entry, "Prefix"), -1
            token = _text(root, "NextContinuationToken")
            if not token:
                return


def _text(entry: ElementTree.Element, name: str) -> str:
    return entry.findtext(f"s3:{name}", "", _NAMESPACE)


# The time at which a file's data end is all that its name says of the quarter.
_QUARTER_ENDS = (
    "2009131105131",
    "2009166043257",
    "2009259160929",
    "2009350155506",
    "2010078095331",
    "2010174085026",
    "2010265121752",
    "2010355172524",
    "2011073133259",
    "2011177032512",
    "2011271113734",
    "2012004120508",
    "2012088054726",
    "2012179063303",
    "2012277125453",
    "2013011073258",
    "2013098041711",
    "2013131215648",
)


def _is_wanted(key: str, quarters: Sequence[int]) -> bool:
    """Whether a Kepler file is of one of some quarters; all are, where none is named."""
    match = re.search(r"-(\d{13})_", key)
    return not quarters or (match is not None and bisect_left(_QUARTER_ENDS, match[1]) in quarters)


def search(target: str, request: Request, server: Server) -> list[Remote] | Missing:
    """The files that lightkurve finds for a target: a name, a number or ``RA DEC`` [deg]."""

    def attempt() -> Any:
        from spotcat.ingest.reference import quiet_lightkurve

        options: dict[str, Any] = {"radius": request.radius} if request.radius else {}
        with quiet_lightkurve() as lightkurve:
            try:
                author = request.author or ("Kepler", "K2", "SPOC")
                return lightkurve.search_lightcurve(target, author=author, **options)
            # The archive's client raises errors of several libraries.
            except Exception as error:
                raise Failure(f"the search failed ({type(error).__name__})") from None

    try:
        result = server.patiently(target, attempt)
    except Failure as failure:
        return Missing(target, "", MAST, str(failure))
    return remotes_of(result, target, request) or Missing(target, "", MAST, "no light curve found")


def remotes_of(result: Any, target: str, request: Request) -> list[Remote]:
    """The files of a search's result that are wanted.

    Args:
        result: a ``lightkurve.SearchResult``.
        target: what was searched for.
        request: which of its files are wanted.
    """
    found = []
    for row in result.table:
        # Such as "Kepler Quarter 05" or "K2 Campaign 09a".
        campaign = re.search(r"(\d+)[ab]?$", str(row["mission"]))
        wanted = not request.campaigns or (campaign is not None and int(campaign[1]) in request.campaigns)
        if not wanted or (float(row["exptime"]) < _SHORT) != (request.cadence == "short"):
            continue
        folders = (row["obs_collection"], row["author"], row["target_name"], row["productFilename"])
        place = "/".join(re.sub(r"[^A-Za-z0-9._+-]|^\.", "_", str(name)) for name in folders)
        size = int(row["size"]) if "size" in result.table.colnames else -1
        found.append(Remote(f"{MAST}?{urlencode({'uri': str(row['dataURI'])})}", place, size, target))
    return found
