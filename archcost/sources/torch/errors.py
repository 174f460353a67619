"""What is said when a PyTorch model cannot be read, and where in the user's code it happened."""

from __future__ import annotations

import contextlib
import linecache
import os
import sys
from functools import cache
from pathlib import Path
from types import FrameType
from typing import Final, NamedTuple

from archcost.sources.errors import TraceError

OURS: Final = str(Path(__file__).resolve().parents[2])
NO_RUN: Final = "archcost works out shapes alone and computes nothing"


class Place(NamedTuple):
    """A line of somebody's code."""

    file: str
    line: int
    function: str

    @property
    def text(self) -> str:
        return linecache.getline(self.file, self.line).strip()

    @property
    def brief(self) -> str:
        """``transformers/models/bert/modeling_bert.py:120``"""
        return f"{_brief(self.file)}:{self.line}"

    def __str__(self) -> str:
        said = f": {self.text:.100}" if self.text else ""
        return f"{_near(self.file)}:{self.line}, in {self.function}{said}"


def _brief(file: str) -> str:
    """``file`` as Python finds it: without the folder that is on its path."""
    folders = [folder for folder in sys.path if folder and file.startswith(folder + os.sep)]
    return file.removeprefix(max(folders, key=len) + os.sep) if folders else _near(file)


def _near(file: str) -> str:
    """``file`` as seen from the current folder, where it is in there."""
    with contextlib.suppress(OSError):
        return file.removeprefix(os.path.join(os.getcwd(), ""))  # noqa: PTH109, PTH118
    return file


@cache
def _theirs(file: str) -> bool:
    """Whether the code in ``file`` is torch's, archcost's or Python's own."""
    import torch

    library = str(Path(contextlib.__file__).parent) + os.sep
    packages = tuple(library + name for name in ("site-packages", "dist-packages"))
    if file.startswith((str(Path(torch.__file__).parent) + os.sep, OURS + os.sep, "<frozen")):
        return True
    return file.startswith(library) and not file.startswith(packages)


def users_place(frame: FrameType | None = None) -> Place | None:
    """The innermost frame of code that is neither torch's nor archcost's."""
    current: FrameType | None = frame or sys._getframe(1)
    while current is not None:
        file = current.f_code.co_filename
        if not _theirs(file):
            return Place(file, current.f_lineno, current.f_code.co_name)
        current = current.f_back
    return None


def raised_place(error: BaseException) -> Place | None:
    """The innermost frame of the user's code that ``error`` passed through."""
    found = None
    traceback = error.__traceback__
    while traceback is not None:
        code = traceback.tb_frame.f_code
        if not _theirs(code.co_filename):
            found = Place(code.co_filename, traceback.tb_lineno, code.co_name)
        traceback = traceback.tb_next
    return found


def words(error: BaseException) -> str:
    """What ``error``, of anybody's code, says of itself."""
    try:
        return str(error).strip()
    except Exception:  # its __str__ has a mistake of its own
        return "(it does not say why)"


def endless(most: int) -> TraceError:
    """The model's code has called ``most`` operators, and has not ended."""
    return TraceError(
        f"the model's forward calls more than {most} operators; does a loop in it ever end?",
        place=users_place(),
    )


def value_wanted(operator: str) -> TraceError:
    """``operator`` asks for a value that depends on inputs or weights."""
    return TraceError(
        f"the model's code asks for the value of a tensor ({operator}), and {NO_RUN}; let the "
        "code depend on shapes there, or read the part of the model before it",
        operator=operator,
        place=users_place(),
    )


def higher_order(operator: str) -> TraceError:
    """``operator`` takes functions, and chooses by values which of them runs."""
    return TraceError(
        f"the model's code calls torch's {operator}, which archcost does not know; read the parts "
        "of the model around it",
        operator=operator,
        place=users_place(),
    )


def shape_unknown(operator: str, error: Exception) -> TraceError:
    """torch cannot tell the shape of what ``operator`` gives without running it."""
    reason = words(error).partition("\n")[0]
    return TraceError(
        f"torch cannot tell what shape {operator} gives without running it, and {NO_RUN} "
        f"({reason:.200})",
        operator=operator,
        place=users_place(),
    )
