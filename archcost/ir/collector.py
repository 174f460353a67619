"""The garbage collector, kept out of the way of large graphs."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def collector_paused() -> Iterator[None]:
    """Spare a large graph the garbage collector while it is built or read.

    All that is made meanwhile is kept, so that walking it again and again finds nothing and takes
    as long as making it.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
