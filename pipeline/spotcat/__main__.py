"""``python -m spotcat`` does what the command ``spotcat`` does."""

import sys

from spotcat.cli import main

if __name__ == "__main__":
    sys.exit(main())
