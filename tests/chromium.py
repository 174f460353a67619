"""Finds the Chromium that tests drive; as a program, prints its path or fails.

``make test`` installs Debian's where this finds none and it can. ``ARCHCOST_CHROMIUM`` names
another, by its path or as a command.
"""

from __future__ import annotations

import os
import shutil
import sys
from typing import Final

COMMANDS: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
VARIABLE: Final = "ARCHCOST_CHROMIUM"
MISSING: Final = f"no Chromium found: install the package chromium, or name one in {VARIABLE}"


def find() -> str | None:
    """The path of the Chromium that ``ARCHCOST_CHROMIUM`` names, or of the first there is."""
    commands = (chosen,) if (chosen := os.environ.get(VARIABLE)) else COMMANDS
    return next(filter(None, map(shutil.which, commands)), None)


if __name__ == "__main__":
    path = find()
    sys.stdout.write(f"{path or MISSING}\n")
    sys.exit(path is None)
