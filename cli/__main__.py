"""The process: ``archcost`` and ``python -m archcost.cli``."""

from __future__ import annotations

import gc


def run() -> None:
    """Run the command line and end the process."""
    # One short job that keeps what it makes: collecting garbage finds none. Off before the imports,
    # which are what allocates most.
    gc.disable()
    from .main import main

    main()


if __name__ == "__main__":
    run()
