"""Seeded damage to good light-curve files: each a file that a mission of bulk downloads and disks has produced."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from astropy.io import fits

Random = np.random.Generator


def _cut(contents: bytes, random: Random) -> bytes:
    return contents[: int(random.integers(0, len(contents)))]


def _flip(contents: bytes, random: Random) -> bytes:
    flipped = bytearray(contents)
    for place in random.integers(0, len(flipped), random.integers(1, 40)):
        flipped[place] ^= 1 << int(random.integers(8))
    return bytes(flipped)


def _flip_in_headers(contents: bytes, random: Random) -> bytes:
    size = contents.find(b"END" + b" " * 77, contents.find(b"XTENSION"))
    return _flip(contents[:size], random) + contents[size:]


def _overwrite(contents: bytes, random: Random) -> bytes:
    start = int(random.integers(0, len(contents)))
    length = int(random.integers(1, 5000))
    filler = random.bytes(length) if random.random() < 0.5 else bytes(length)
    return contents[:start] + filler[: len(contents) - start] + contents[start + length :]


def _blocks_lost(contents: bytes, random: Random) -> bytes:
    start = 2880 * int(random.integers(0, len(contents) // 2880))
    return contents[:start] + contents[start + 2880 * int(random.integers(1, 9)) :]


def _appended(contents: bytes, random: Random) -> bytes:
    return contents + random.bytes(int(random.integers(1, 6000)))


def _header_edited(contents: bytes, random: Random) -> bytes:
    """A card removed, blanked or given a value of another kind, without astropy's care."""
    cards = range(0, contents.find(b"END" + b" " * 77, contents.find(b"XTENSION")), 80)
    place = cards[int(random.integers(len(cards)))]
    value = [b"                 NaN", b"        999999999999", b"                  -1", b"'           '", b"   T", b""]
    text = value[int(random.integers(len(value)))]
    card = contents[place : place + 10] + text.ljust(70) if text or random.random() < 0.5 else b" " * 80
    return contents[:place] + card + contents[place + 80 :]


def _edited(change: Callable[[fits.HDUList, Random], None]) -> Callable[[bytes, Random], bytes]:
    """The file rewritten by astropy after a change."""

    def damage(contents: bytes, random: Random) -> bytes:
        with fits.open(io.BytesIO(contents), memmap=False) as hdus:
            change(hdus, random)
            out = io.BytesIO()
            hdus.writeto(out, output_verify="ignore")
        return out.getvalue()

    return damage


def _cards_removed(hdus: fits.HDUList, random: Random) -> None:
    for hdu in hdus[:2]:
        removable = [card for card in hdu.header if card and not card.startswith(("NAXIS", "T", "XTEN", "BITPIX"))]
        for card in random.permutation(removable)[: len(removable) // 3]:
            hdu.header.remove(card, ignore_missing=True)


def _column_renamed(hdus: fits.HDUList, random: Random) -> None:
    names = ["TIME", "PDCSAP_FLUX", "PDCSAP_FLUX_ERR", "QUALITY", "SAP_QUALITY"]
    present = [name for name in names if name in hdus[1].columns.names]
    hdus[1].columns.change_name(str(random.choice(present)), "RENAMED")


def _some(hdus: fits.HDUList, random: Random) -> slice:
    n = len(hdus[1].data)
    start = int(random.integers(0, n))
    return slice(start, start + int(random.integers(1, n)))


def _stuck(hdus: fits.HDUList, random: Random) -> None:
    rows = _some(hdus, random)
    hdus[1].data["PDCSAP_FLUX"][rows] = hdus[1].data["PDCSAP_FLUX"][rows.start]


def _set(name: str, value: float) -> Callable[[fits.HDUList, Random], None]:
    def change(hdus: fits.HDUList, random: Random) -> None:
        hdus[1].data[name][_some(hdus, random)] = value

    return change


def _backwards(hdus: fits.HDUList, random: Random) -> None:
    hdus[1].data["TIME"][:] = hdus[1].data["TIME"][::-1].copy()


def _shuffled(hdus: fits.HDUList, random: Random) -> None:
    hdus[1].data["TIME"][:] = random.permutation(hdus[1].data["TIME"])


def _wrong_unit(hdus: fits.HDUList, random: Random) -> None:
    unit = str(random.choice(["s", "h", "mag", "ppm", "furlong", ""]))
    hdus[1].columns[str(random.choice(["TIME", "PDCSAP_FLUX"]))].unit = unit


def _in_seconds(hdus: fits.HDUList, random: Random) -> None:
    hdus[1].data["TIME"] *= 86400


def _negative(hdus: fits.HDUList, random: Random) -> None:
    hdus[1].data["PDCSAP_FLUX"] -= np.float32(2) * np.float32(np.nanmax(hdus[1].data["PDCSAP_FLUX"]))


def _huge(hdus: fits.HDUList, random: Random) -> None:
    hdus[1].data["PDCSAP_FLUX"][_some(hdus, random)] *= np.float32(1e30)


DAMAGES: dict[str, Callable[[bytes, Random], bytes]] = {
    "cut": _cut,
    "bits flipped": _flip,
    "bits of headers flipped": _flip_in_headers,
    "overwritten": _overwrite,
    "blocks lost": _blocks_lost,
    "appended": _appended,
    "card edited": _header_edited,
    "cards removed": _edited(_cards_removed),
    "column renamed": _edited(_column_renamed),
    "NaN times": _edited(_set("TIME", np.nan)),
    "infinite times": _edited(_set("TIME", np.inf)),
    "NaN fluxes": _edited(_set("PDCSAP_FLUX", np.nan)),
    "infinite fluxes": _edited(_set("PDCSAP_FLUX", np.inf)),
    "negative errors": _edited(_set("PDCSAP_FLUX_ERR", -1.0)),
    "constant": _edited(_set("PDCSAP_FLUX", 7.0)),
    "stuck": _edited(_stuck),
    "one time": _edited(_set("TIME", 1600.0)),
    "backwards": _edited(_backwards),
    "shuffled": _edited(_shuffled),
    "wrong unit": _edited(_wrong_unit),
    "seconds": _edited(_in_seconds),
    "negative": _edited(_negative),
    "huge": _edited(_huge),
}


def write_hostile(folder: Path, sources: Sequence[Path], n_files: int, seed: int) -> dict[str, tuple[str, str, Path]]:
    """Damaged copies of `sources`, each renumbered in header and name first, so that each is a star of its own.

    Returns:
        By file name: the star, what was done to it, and its source.
    """
    done = {}
    kinds = list(DAMAGES)
    for k in range(n_files):
        random = np.random.default_rng([seed, k])
        # Each kind meets each source in turn.
        kind, source = kinds[k % len(kinds)], sources[(k + k // len(kinds)) % len(sources)]
        old = str(_number(source))
        new = str(int(old) + 1 + k)
        assert len(old) == len(new)
        file = source.name.replace(old, new)
        contents = source.read_bytes().replace(old.encode(), new.encode())
        (folder / file).write_bytes(DAMAGES[kind](contents, random))
        done[file] = (f"{_catalog(source)} {new}", kind, source)
    return done


def _number(source: Path) -> int:
    header = fits.getheader(source)
    return int(header.get("KEPLERID") or header["TICID"])


def _catalog(source: Path) -> str:
    return {"kplr": "KIC", "ktwo": "EPIC", "tess": "TIC"}[source.name[:4]]
