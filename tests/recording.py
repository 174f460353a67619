"""What commands print in a terminal of a given width, kept in ``tests/recordings``.

As a program it records them all anew, as ``make docs`` does. The recordings are without colours, so
that they can be read: in a review they show what a change did to the output.
"""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from contextlib import suppress
from pathlib import Path
from typing import Final

PROGRAM: Final = (sys.executable, "-m", "archcost.cli")
FOLDER: Final = Path(__file__).parent / "recordings"
WIDTHS: Final = (80, 120, 160)
COMPARED: Final = ("simplenet", "vgg16", "resnet50", "squeezenet", "mobilenet-v1")
COMMANDS: Final = {
    "report": ("report", "simplenet"),
    "compare": ("compare", *COMPARED, "--reference", "vgg16"),
    "layers": ("compare", "simplenet", "simplenet-310k", "--layers"),
    "zoo": ("zoo", "list", "--family", "resnet"),
}
"""What is recorded, by the name of its files."""
COLOUR: Final = re.compile(r"\x1b\[[\d;]*m")
DECIDING: Final = (
    *("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"),
    *("COLORTERM", "TERM", "JUPYTER_COLUMNS", "JUPYTER_LINES"),
)
"""Variables that decide about width and colours."""


def environment(**chosen: str) -> dict[str, str]:
    """This process's variables, but those on width and colours as ``chosen``."""
    kept = {name: value for name, value in os.environ.items() if name not in DECIDING}
    return {**kept, "PYTHONUTF8": "1", **chosen}


def piped(arguments: tuple[str, ...], **chosen: str) -> str:
    """What a command writes where nobody looks."""
    done = subprocess.run(
        [*PROGRAM, *arguments],
        check=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        env=environment(**chosen),
    )
    return done.stdout.decode()


def in_terminal(arguments: tuple[str, ...], columns: int, **chosen: str) -> str:
    """What a command writes in a terminal of so many columns."""
    ours, its = pty.openpty()
    with open(ours, "rb", buffering=0) as screen:  # noqa: PTH123 (a descriptor, no path)
        try:
            fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
            process = subprocess.Popen(
                [*PROGRAM, *arguments],
                stdin=its,
                stdout=its,
                stderr=subprocess.DEVNULL,
                env=environment(TERM="xterm-256color", **chosen),
            )
        finally:
            os.close(its)
        written = b""
        with suppress(OSError):  # what Linux says where the other end is closed
            while piece := screen.read(65536):
                written += piece
        status = process.wait()
    text = written.decode().replace("\r\n", "\n")
    if status:
        raise subprocess.CalledProcessError(status, arguments, text)
    return text


def kept(name: str, columns: int) -> Path:
    """The file of a recording."""
    return FOLDER / f"{name}-{columns}.txt"


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, arguments in COMMANDS.items():
        for columns in WIDTHS:
            text = piped(arguments, COLUMNS=str(columns))
            kept(name, columns).write_text(text, encoding="utf-8")
