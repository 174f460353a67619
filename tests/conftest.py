"""What all tests share."""

from __future__ import annotations

import os

from hypothesis import settings

# No deadline: the first example of a test often pays for an import. In CI the examples are always
# the same ones, so that a change is judged by what it changes.
settings.register_profile("archcost", deadline=None)
settings.register_profile("archcost-ci", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("archcost-ci" if os.environ.get("CI") else "archcost")


def pytest_ignore_collect(collection_path, config):
    """Leave tests/benchmarks out unless it is asked for by name, as `make bench` does."""
    if collection_path.name != "benchmarks":
        return None
    return None if any("benchmarks" in argument for argument in config.args) else True
