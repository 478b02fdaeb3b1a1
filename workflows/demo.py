"""The whole path on four real stars and 48 simulated ones: fetch, simulate, run, query, draw.

    python workflows/demo.py

Run it from the root of the repository.  The real light curves come with two packages, which pip fetches once; a second
run works offline, and a run that was interrupted goes on.
"""

from __future__ import annotations

import hashlib
import shlex
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np

import spotcat
from spotcat.catalog.index import plain_name
from spotcat.catalog.published import read_periods
from spotcat.catalog.selection import Catalog
from spotcat.check.recovery import compare, found_for, read_truth, recovery_table
from spotcat.check.simulate import truth_path
from spotcat.report.recovery_plot import plot_recovery
from spotcat.report.survey_page import report
from spotcat.status import Flag, SpotcatError

CACHE = Path(".cache/demo")
RECIPE = Path("workflows/recipes/demo.toml")
PUBLISHED = Path("catalogs/literature/demo_periods.csv")
VALIDATION = Path("catalogs/validation/validation.json")
RUN = Path("runs/demo")

PACKAGES = ("altaipony==2.1.2", "star-privateer==1.3.1")
FILES = {
    "kplr010002792-2009259160929_llc.fits": (
        "altaipony/examples/kplr010002792-2009259160929_llc.fits",
        "65ec2b64d904b3f241c92d216509748d4fded02a8ee9dc397ce11ed7aa72af80",
    ),
    "kplr010002792-2010174085026_llc.fits": (
        "altaipony/examples/kplr010002792-2010174085026_llc.fits",
        "a0bfd85d5403e761d7d761717f6476d802d3865b2c77196f804a7bfe38c37c36",
    ),
    "ktwo211015853-c04_llc.fits": (
        "star_privateer/timeseries/epic211015853.fits",
        "f7045fc7e0a63da17e59d02caf332fd0fd58232e6ce5439a8c5768a48c2e8fc2",
    ),
    "ktwo211117077-c04_llc.fits": (
        "altaipony/examples/ktwo211117077-c04_llc.fits",
        "236eaa4c669987e5f2b3f696690b947434a159b2cfca75a933a546e7f269a7af",
    ),
    "tess2018206045859-s0001-0000000358108509-0120-s_lc.fits": (
        "altaipony/examples/tess2018206045859-s0001-0000000358108509-0120-s_lc.fits",
        "8f026f87bfaf4e79496e124dd6a9a36b5ff06ed597c0b3bff5387fa240681695",
    ),
}
"""Name of each light curve in the archive: its place in the packages, and its SHA-256."""


def main() -> None:
    if not RECIPE.is_file():
        sys.exit("demo: run this from the root of the repository")
    fetch(CACHE / "real")
    run_spotcat("simulate", RECIPE)
    run_spotcat("run", RECIPE)
    catalog = spotcat.open_catalog(RUN / "catalog.zarr")
    figures = RUN / "figures"
    print_real_stars(catalog)
    compare_simulated_stars(catalog, figures / "recovery.png")
    names = real_stars(catalog).column("name").tolist()
    page = report(RUN / "catalog.zarr", RUN / "report", PUBLISHED, names, VALIDATION)
    print(f"\ncatalog: {RUN / 'catalog.zarr'}\nfigures: {figures}\nreport:  {page}")


def fetch(folder: Path) -> None:
    """Bring the real light curves into a folder, unless they are there."""
    if all(is_whole(folder / name) for name in FILES):
        return
    wheels = CACHE / "wheels"
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "download"]
    options = ["--no-deps", "--only-binary", ":all:", "--dest", str(wheels)]
    print(f"fetching sample light curves: {', '.join(PACKAGES)}", flush=True)
    done = subprocess.run([*pip, *options, *PACKAGES], capture_output=True, text=True, check=False)
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        sys.exit(f"demo: pip could not download the sample light curves ({reason}); check the network and try again")
    folder.mkdir(parents=True, exist_ok=True)
    for wheel in wheels.glob("*.whl"):
        with zipfile.ZipFile(wheel) as archive:
            for name, (member, _) in FILES.items():
                if member in archive.namelist():
                    (folder / name).write_bytes(archive.read(member))
    for name in FILES:
        if not is_whole(folder / name):
            sys.exit(f"demo: {folder / name} is not the file that was expected; delete {CACHE} and try again")


def is_whole(path: Path) -> bool:
    _, expected = FILES[path.name]
    return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == expected


def run_spotcat(*arguments: object) -> None:
    command = [sys.executable, "-m", "spotcat", *map(str, arguments)]
    print(f"$ spotcat {shlex.join(command[3:])}", flush=True)
    done = subprocess.run(command, check=False)
    if done.returncode:
        sys.exit(done.returncode)


def real_stars(catalog: Catalog) -> Catalog:
    return catalog.query("mission != 'table'", ["name", "prot", "prot_lower", "prot_upper", "flags"])


def print_real_stars(catalog: Catalog) -> None:
    published = read_periods(PUBLISHED)
    heads = f"{'star':14}  {'prot [d]':>8}  {'68 % interval':>16}  {'published':>9}  {'differs':>7}"
    print(f"\n{heads}  reference and flags")
    stars = real_stars(catalog)
    for row in range(len(stars)):
        name, prot, lower, upper, flags = (stars.column(key)[row] for key in stars.names)
        period, reference = published.get(plain_name(name), (np.nan, ""))
        known = f"{period:9.4f}  {prot / period - 1:+7.1%}" if reference else f"{'-':>9}  {'-':>7}"
        words = "; ".join([reference or "no published period", *Flag(int(flags)).words])
        print(f"{name:14}  {prot:8.4f}  {lower:7.4f}..{upper:7.4f}  {known}  {words}")


def compare_simulated_stars(catalog: Catalog, out: Path) -> None:
    truth = read_truth(truth_path(CACHE / "simulated"))
    rates = compare(catalog, truth)
    print(f"\nperiods of the simulated stars\n{recovery_table(rates)}")
    best = rates["spotcat"]
    within, half, double = (f"{100 * share:.0f} %" for share in (best.within, best.half, best.double))
    found = found_for(catalog, truth["name"], ("prot", "rotating"))
    title = f"{within} of {best.n_stars} within 10 %, {half} halved, {double} doubled"
    plot_recovery(truth["prot"], found["prot"], found["rotating"], title, out)


if __name__ == "__main__":
    try:
        main()
    except SpotcatError as error:
        sys.exit(f"demo: {error}")
