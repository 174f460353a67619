"""Tests that need an NVIDIA GPU: marked ``cuda``, and skipped with the reason where there is none.

This folder is carried to such machines as it is (``make cuda-bundle``), so nothing here imports
anything of the folders beside it.
"""

from __future__ import annotations

from functools import cache

import pytest


@cache
def missing() -> str | None:
    """Why no GPU can be measured here; None where one can."""
    try:
        import torch
    except ImportError:
        return "torch is not installed"
    if torch.version.cuda is None:
        return f"torch {torch.__version__} was built without CUDA"
    if not torch.cuda.is_available():
        return "torch sees no CUDA device"
    return None


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what needs a GPU."""
    if item.get_closest_marker("cuda") and (reason := missing()):
        pytest.skip(reason)
