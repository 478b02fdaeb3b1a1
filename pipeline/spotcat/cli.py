"""The command line: one subcommand per stage, errors as one line, nothing imported that a command does not need."""

from __future__ import annotations

import argparse
import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from spotcat import __version__
from spotcat.status import InputError, SpotcatError

if TYPE_CHECKING:
    from spotcat.run.stages import CatalogSummary

_INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it: 128 + SIGINT."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: those of the command line if None.

    Returns:
        The exit code: 0, 1 for a run that failed, 2 for bad usage or bad input, 130 after Ctrl-C.
    """
    debug = "--debug" in (sys.argv if arguments is None else arguments)
    try:
        options = _parser().parse_args(arguments)
        options.command(options)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read the output has seen enough.
        _drop_output()
    except KeyboardInterrupt:
        print("spotcat: interrupted; the same command goes on from here", file=sys.stderr)
        return _INTERRUPTED
    except Exception as error:
        if debug:
            traceback.print_exc()
        text = str(error)
        if isinstance(error, OSError):
            _drop_output()
        elif not isinstance(error, SpotcatError):
            text = f"internal error: {type(error).__name__}: {text} (--debug tells more)"
        print(f"spotcat: {' '.join(text.split())}", file=sys.stderr)
        return error.exit_code if isinstance(error, SpotcatError) else 1
    return 0


def _drop_output() -> None:
    """Forget what is left of the output; Python would complain again when it closes it."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are one line, like all others."""

    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message}; see `{self.prog} --help`")


def _parser() -> argparse.ArgumentParser:
    common = _Parser(add_help=False)
    # Accepted before and after the command; the default must not undo what was said before it.
    common.add_argument("--debug", action="store_true", default=argparse.SUPPRESS, help="show tracebacks of errors")
    parser = _Parser(prog="spotcat", description="Rotation and starspot catalogs of surveys.", parents=[common])
    parser.add_argument("--version", action="version", version=f"spotcat {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    def add(name: str, command: object, words: str) -> argparse.ArgumentParser:
        sub: argparse.ArgumentParser = commands.add_parser(
            name, help=words, description=words[0].upper() + words[1:] + ".", parents=[common]
        )
        sub.set_defaults(command=command)
        return sub

    _add_stages(add("run", _run, "ingest, fit and finalise a survey, or go on where it was left"), site=True)
    _add_fetch(add("fetch", _fetch, "bring light curves from the public archives into a folder"))
    ingest = add("ingest", _ingest, "read a survey's light curves into its store")
    _add_stages(ingest, site=True)
    ingest.add_argument("--append", action="store_true", help="add new files to the store, writing nothing again")
    _add_stages(add("fit", _fit, "fit the stars of an ingested survey"), site=True)
    _add_stages(add("finalise", _finalise, "join the fitted stars into a catalog"), site=False)
    status = add("status", _status, "say how far a run is")
    status.add_argument("run", metavar="RUN", help="run folder, or recipe")
    _add_query(add("query", _query, "select stars of a catalog"))
    show = add("show", _show, "draw a star: light curve, periodogram, autocorrelation")
    show.add_argument("catalog", metavar="CATALOG")
    show.add_argument("name", metavar="NAME", help="such as 'KIC 10002792'")
    show.add_argument("--out", metavar="FILE", type=Path, required=True, help="PNG file to write")
    _add_stages(add("simulate", _simulate, "make a survey with known truth"), site=False)
    return parser


def _add_stages(parser: argparse.ArgumentParser, *, site: bool) -> None:
    parser.add_argument("recipe", metavar="RECIPE", help="TOML file that says what to run")
    if site:
        parser.add_argument("--site", metavar="SITE", help="TOML file that says where (default: this machine)")


def _add_fetch(parser: argparse.ArgumentParser) -> None:
    words = "'KIC 8264588', 'sector 15', a name, 'RA DEC' in degrees, or a file with one of these a line"
    parser.add_argument("targets", metavar="TARGET", nargs="+", help=words)
    parser.add_argument("--to", metavar="FOLDER", type=Path, required=True, help="where to")
    parser.add_argument("--author", default="", help="such as QLP (default: the missions' own files)")
    parser.add_argument("--campaigns", metavar="N,N", default="", help="quarters, campaigns or sectors (default: all)")
    parser.add_argument("--cadence", choices=("long", "short"), default="long")
    parser.add_argument("--radius", metavar="ARCSEC", type=float, default=0.0, help="all stars of a cone")
    parser.add_argument("--jobs", metavar="N", type=int, default=4, help="files at a time")
    parser.add_argument("--rate", metavar="N", type=float, default=10.0, help="most requests a second")
    parser.add_argument("--timeout", metavar="S", type=float, default=60.0)
    parser.add_argument("--retries", metavar="N", type=int, default=4)
    parser.add_argument("--bucket", metavar="URL", help="address of the bucket (default: the archive's own)")


def _add_query(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("catalog", metavar="CATALOG")
    parser.add_argument("expression", metavar="EXPR", nargs="?", default="", help="such as 'prot > 5'")
    parser.add_argument("--columns", metavar="A,B", help="columns to give, in that order")
    parser.add_argument("--star", metavar="NAME", help="one star, by name or star id")
    parser.add_argument("--format", metavar="table|csv|json", help="default: the suffix of --out, or table")
    parser.add_argument("--out", metavar="FILE", type=Path, help="file to write instead of standard output")
    parser.add_argument("--limit", metavar="N", type=int, help="give the first N stars only")


def _run(options: argparse.Namespace) -> None:
    from spotcat.config import load_recipe, load_site
    from spotcat.run.stages import run_survey

    _print_summary(run_survey(load_recipe(options.recipe), load_site(options.site)))


def _ingest(options: argparse.Namespace) -> None:
    from spotcat.config import load_recipe, load_site
    from spotcat.run.stages import ingest_stage

    ingest_stage(load_recipe(options.recipe), load_site(options.site), options.append)


def _fetch(options: argparse.Namespace) -> None:
    from spotcat.ingest.archive import BUCKET, Request
    from spotcat.ingest.download import Policy, Server
    from spotcat.ingest.fetch import MISSING, fetch, read_targets
    from spotcat.run.progress import Progress
    from spotcat.status import RunError

    if options.jobs < 1 or options.retries < 0 or options.radius < 0 or min(options.rate, options.timeout) <= 0:
        raise InputError("--jobs, --rate and --timeout must be positive, --retries and --radius not negative")
    numbers = [number.strip() for number in options.campaigns.split(",") if number.strip()]
    if not all(number.isdecimal() for number in numbers):
        raise InputError(f"--campaigns must be numbers with commas between them, got {options.campaigns!r}")
    request = Request(options.author, tuple(map(int, numbers)), options.cadence, options.radius)
    server = Server(Policy(options.jobs, options.rate, options.timeout, options.retries))
    targets = read_targets(options.targets)
    with Progress("fetch", "files", 0) as progress:
        summary = fetch(targets, options.to, request, server, options.bucket or BUCKET, progress.update)
    if summary.missing:
        raise RunError(f"{summary.words}; {options.to / MISSING} lists them, the same command tries them again")
    print(f"{options.to}: {summary.words}")


def _fit(options: argparse.Namespace) -> None:
    from spotcat.config import load_recipe, load_site
    from spotcat.run.stages import fit_stage

    fit_stage(load_recipe(options.recipe), load_site(options.site))


def _finalise(options: argparse.Namespace) -> None:
    from spotcat.config import load_recipe
    from spotcat.run.stages import finalise_stage

    _print_summary(finalise_stage(load_recipe(options.recipe)))


def _print_summary(summary: CatalogSummary) -> None:
    counts = ", ".join(f"{count} {status}" for status, count in summary.statuses.items())
    print(f"{summary.path}: {summary.n_stars} stars ({counts})")


def _status(options: argparse.Namespace) -> None:
    from spotcat.config import load_recipe
    from spotcat.run.stages import status_of

    path = Path(options.run)
    status = status_of(path if path.is_dir() else load_recipe(path).survey.output)
    if status.finished:
        stage = "finished"
    elif not status.n_stars:
        stage = "nothing ingested yet"
    else:
        stage = (
            f"{status.n_done} of {status.n_stars} stars and {status.chunks_done} of {status.n_chunks} chunks "
            f"fitted in {status.seconds:.0f} s of work"
        )
    print(f"{status.name}: {stage}{'; at work' if status.running else ''}")
    if status.changed:
        print(status.changed)


def _query(options: argparse.Namespace) -> None:
    from spotcat.catalog.export import export, export_file
    from spotcat.catalog.query import open_catalog, query, star
    from spotcat.catalog.schema import PRINTED

    suffix = options.out.suffix.lstrip(".") if options.out else ""
    form = options.format or (suffix if suffix in ("csv", "json") else "table")
    if options.limit is not None and options.limit < 0:
        raise InputError(f"--limit must not be negative, got {options.limit}")
    columns = list(PRINTED) if form == "table" else None
    if options.columns is not None:
        columns = [name.strip() for name in options.columns.split(",") if name.strip()]
        if not columns:
            raise InputError("--columns names no column")
    catalog = open_catalog(options.catalog)
    if options.star is not None:
        catalog = star(catalog, options.star)
    rows = query(catalog, options.expression, columns).isel(star=slice(options.limit))
    if options.out is None:
        export(rows, form, sys.stdout)
    else:
        export_file(rows, form, options.out)


def _show(options: argparse.Namespace) -> None:
    from spotcat.report.star_page import show

    show(options.catalog, options.name, options.out)


def _simulate(options: argparse.Namespace) -> None:
    from spotcat.check.simulate import simulate_survey
    from spotcat.config import load_recipe

    print(simulate_survey(load_recipe(options.recipe)))
