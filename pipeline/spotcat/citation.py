"""How to cite this version of the package, in one place for catalogs, exports and the command line."""

from __future__ import annotations

from spotcat import __version__

TITLE = "spotcat: rotation periods and starspot lifetimes for every star of a survey"
AUTHORS = "The spotcat developers"
CITATION = f"{AUTHORS}, {TITLE}, version {__version__}, computer software"
"""One sentence without a full stop; ``CITATION.cff`` of the source has the same as data."""
