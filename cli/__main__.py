"""The process: ``archcost`` and ``python -m archcost.cli``."""

from __future__ import annotations

import gc
import sys


def run() -> None:
    """Run the command line and end the process."""
    # One short job that keeps what it makes: collecting garbage finds none. Off before the imports,
    # which are what allocates most.
    gc.disable()
    try:
        from .main import main
    except KeyboardInterrupt:  # from there on it is main's business
        sys.exit(130)
    main()


if __name__ == "__main__":
    run()
