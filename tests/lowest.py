"""The oldest versions that pyproject.toml allows, as pip's constraints.

python tests/lowest.py > lowest.txt && pip install --constraint lowest.txt -e '.[test]'
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path


def lowest() -> list[str]:
    """A line ``name==version`` for each dependency."""
    text = (Path(__file__).resolve().parents[1] / "pyproject.toml").read_text(encoding="utf-8")
    found = [re.match(r"([\w-]+)>=([\w.]+)", one) for one in tomllib.loads(text)["project"]["dependencies"]]
    return [f"{one[1]}=={one[2]}" for one in found if one]


if __name__ == "__main__":
    print("\n".join(lowest()))
