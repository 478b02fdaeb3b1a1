"""The command line: one subcommand per stage, errors as one line."""

from __future__ import annotations

import argparse
import io
import os
import re
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from spotcat import __version__, commands
from spotcat.status import InputError, SpotcatError

_INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it: 128 + SIGINT."""

_STARS = "names, in quotes where one has a comma, or a file with one a line"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: those of the command line if None.

    Returns:
        The exit code: 0, 1 for a run that failed, 2 for bad usage or bad input, 130 after Ctrl-C.
    """
    debug = "--debug" in (sys.argv if arguments is None else arguments)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # No name of a file or star may end a command on a terminal that cannot show it.
            stream.reconfigure(errors="backslashreplace")
    try:
        options = _parsed(_with_signs(sys.argv[1:] if arguments is None else arguments))
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


def _parsed(arguments: Sequence[str]) -> argparse.Namespace:
    """The options, with a condition wherever it stands: argparse takes it for missing once an option came first."""
    parser = _parser()
    options, rest = parser.parse_known_args(arguments)
    if len(rest) == 1 and getattr(options, "expression", None) == "" and not rest[0].startswith("-"):
        options.expression = rest.pop()
    if rest:
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    return options


def _with_signs(arguments: Sequence[str]) -> list[str]:
    """The arguments with ``--sort -COLUMN`` as one: argparse would take the column for an option."""
    joined: list[str] = []
    for argument in arguments:
        if joined and joined[-1] == "--sort" and re.fullmatch(r"-[A-Za-z]\w+", argument):
            joined[-1] += f"={argument}"
        else:
            joined.append(argument)
    return joined


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
    subparsers = parser.add_subparsers(metavar="COMMAND", required=True)

    def add(name: str, command: object, words: str) -> argparse.ArgumentParser:
        sub: argparse.ArgumentParser = subparsers.add_parser(
            name, help=words, description=words[0].upper() + words[1:] + ".", parents=[common]
        )
        sub.set_defaults(command=command)
        return sub

    run = add("run", commands.run, "ingest, fit and finalise a survey, or go on where it was left")
    _add_stages(run, site=True)
    run.add_argument("--share", metavar="K/N", help="fit each N-th chunk from the K-th on; others do the rest")
    _add_retry(run)
    run.add_argument("--scheduler-file", metavar="FILE", help="use the workers of this Dask scheduler")
    _add_fetch(add("fetch", commands.fetch, "bring light curves from the public archives into a folder"))
    ingest = add("ingest", commands.ingest, "read a survey's light curves into its store")
    _add_stages(ingest, site=True)
    ingest.add_argument("--append", action="store_true", help="add new files to the store, writing nothing again")
    fit = add("fit", commands.fit, "fit the stars of an ingested survey")
    _add_stages(fit, site=True)
    fit.add_argument(
        "--stars", metavar="A,B", help=f"these alone, into a run and catalog beside the survey's: {_STARS}"
    )
    words = "how to sample their posteriors: importance (default) or nuts (the mcmc extra)"
    fit.add_argument("--sampler", choices=("laplace", "importance", "nuts"), help=words)
    _add_stages(add("finalise", commands.finalise, "join the fitted stars into a catalog"), site=False)
    status = add("status", commands.status, "say how far a run is")
    status.add_argument("run", metavar="RUN", help="run folder, or recipe")
    _add_stages(add("plan", commands.plan, "say what the rest of an ingested survey will take"), site=True)
    submit = add("submit", commands.submit, "run a survey as a Slurm job")
    _add_stages(submit, site=True)
    _add_retry(submit)
    submit.add_argument("--dry-run", action="store_true", help="write the job's script and show it, no more")
    add("cancel", commands.cancel, "cancel a run's Slurm job").add_argument(
        "run", metavar="RUN", help="run folder, or recipe"
    )
    _add_query(add("query", commands.query, "select stars of a catalog"))
    check = add("validate", commands.validate, "check every byte, column and count of a catalog")
    check.add_argument("catalog", metavar="CATALOG")
    words = "print the columns of catalogs, what a fit is judged by, or every key of recipes and sites"
    schema = add("schema", commands.schema, words)
    schema.add_argument("--format", choices=("json", "markdown", "thresholds", "settings"), default="json")
    _add_shipped(add("recipe", commands.recipe, "print a recipe to start from"), "recipe")
    _add_shipped(add("site", commands.site, "print a site to start from"), "site")
    show = add("show", commands.show, "draw a star: light curve, periodogram, autocorrelation")
    show.add_argument("catalog", metavar="CATALOG")
    show.add_argument("name", metavar="NAME", help="such as 'KIC 10002792'")
    show.add_argument("--out", metavar="FILE", type=Path, required=True, help="PNG, PDF or SVG file to write")
    show.add_argument("--literature", metavar="CSV", help="table of published periods: name, period [d], reference")
    page = add("report", commands.report, "write a survey page that opens from disk: diagrams, table, pages of stars")
    page.add_argument("catalog", metavar="CATALOG")
    page.add_argument("--out", metavar="DIR", type=Path, required=True, help="folder to write")
    page.add_argument("--literature", metavar="CSV", help="table of published periods: name, period [d], reference")
    page.add_argument("--validation", metavar="JSON", help="report of `spotcat check recovery` to draw")
    page.add_argument("--stars", metavar="A,B", help=f"stars with a page (default: the clearest six): {_STARS}")
    _add_stages(add("simulate", commands.simulate, "make a survey with known truth"), site=False)
    _add_check(add("check", None, "fit simulated surveys, or compare with published periods"))
    return parser


def _add_check(parser: argparse.ArgumentParser) -> None:
    kinds = parser.add_subparsers(metavar="WHAT", required=True)
    recovery = kinds.add_parser("recovery", help="simulated surveys against the truth")
    recovery.set_defaults(command=commands.check_recovery)
    calibrate = kinds.add_parser("calibrate", help="learn the calibration of the fit from simulated surveys")
    calibrate.set_defaults(command=commands.check_calibrate)
    calibrate.add_argument("--out", metavar="FILE", type=Path, required=True, help="table to write")
    for kind in (recovery, calibrate):
        _add_stages(kind, site=True)
    literature = kinds.add_parser("literature", help="a catalog against published tables, or stars of known kinds")
    literature.set_defaults(command=commands.check_literature)
    literature.add_argument("catalog", metavar="CATALOG")
    kinds_words = (
        "stars with the columns name, kind (rotator, negative, eclipsing, pulsator, unknown) and period_d [d], "
    )
    literature.add_argument("stars", metavar="TABLE", nargs="?", help=f"{kinds_words}or name and period [d]")
    words = "table of periods; NAME is a known one, such as mcquillan2014, or a .toml file that describes its columns"
    literature.add_argument("--table", metavar="NAME=FILE", action="append", default=[], help=words)
    literature.add_argument("--list", action="store_true", help="name each star of TABLE that falls short")
    words = "folder for a table of all stars of TABLE, and pictures of those that fall short"
    literature.add_argument("--out", metavar="DIR", type=Path, help=words)


def _add_stages(parser: argparse.ArgumentParser, *, site: bool) -> None:
    parser.add_argument("recipe", metavar="RECIPE", help="TOML file that says what to run")
    if site:
        parser.add_argument("--site", metavar="SITE", help="TOML file that says where (default: this machine)")


def _add_shipped(parser: argparse.ArgumentParser, kind: str) -> None:
    which = parser.add_mutually_exclusive_group()
    which.add_argument("name", metavar="NAME", nargs="?", help=f"one of the {kind}s that come with spotcat")
    which.add_argument("--minimal", action="store_true", help="the shortest one (default)")
    which.add_argument("--full", action="store_true", help="every key with its default and its meaning")
    which.add_argument("--list", action="store_true", help="the names of those that come with spotcat")


def _add_retry(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--retry-failed", action="store_true", help="fit the stars again whose fit failed")


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
    parser.add_argument("catalog", metavar="CATALOG", help="its folder, a run folder, or a URL such as https://...")
    parser.add_argument("expression", metavar="EXPR", nargs="?", default="", help="such as 'prot > 5'")
    parser.add_argument("--preset", metavar="NAME", default="", help="a selection by name: gyro, periods for ages")
    parser.add_argument("--columns", metavar="A,B", help="columns to give, in that order, or all")
    parser.add_argument("--star", metavar="NAME", help="one star, by name, star id or KIC, EPIC or TIC number")
    parser.add_argument("--cone", metavar="RA,DEC,RADIUS", help="stars around a position, all in degrees")
    parser.add_argument(
        "--threshold", metavar="R", type=float, help="only stars of at least this reliability, such as 0.95"
    )
    parser.add_argument("--sort", metavar="COLUMN", help="order by a column; -COLUMN from high to low")
    parser.add_argument("--limit", metavar="N", type=int, help="give the first N stars only")
    parser.add_argument("--count", action="store_true", help="print only how many stars there are")
    formats = "table|csv|ecsv|fits|votable|parquet|json"
    parser.add_argument("--format", metavar=formats, help="default: the suffix of --out, or table")
    parser.add_argument("--out", metavar="FILE", type=Path, help="file to write instead of standard output")
    parser.add_argument("--words", action="store_true", help="words in place of codes and flags, as tables have them")
