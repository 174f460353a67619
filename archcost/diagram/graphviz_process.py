"""One layout in a process of its own: ``python graphviz_process.py FOLDER FORMAT DPI SECONDS``.

Run by :mod:`archcost.diagram.render`, with the interpreter's bare start, so this file imports
nothing of archcost. Graphviz is C code that Python cannot interrupt, keeps global state, and
writes what it has to say, and what fontconfig has to say, to the standard error of its process.
"""

from __future__ import annotations

import signal
import sys

UNAVAILABLE = 69
"""Exit status where pygraphviz cannot be loaded: EX_UNAVAILABLE of ``sysexits.h``."""

REFUSED = 65
"""Exit status where Graphviz does not take the DOT: EX_DATAERR of ``sysexits.h``."""


def main(folder: str, format_: str, dpi: str, seconds: str) -> int:
    """Draw the DOT on standard input to standard output; gives the exit status.

    ``folder`` is where pygraphviz is installed. After ``seconds`` the process ends itself, should
    nobody be left to end it.
    """
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    if hasattr(signal, "alarm"):
        signal.alarm(int(seconds))
    sys.path.append(folder)
    try:
        import pygraphviz
    except ImportError as error:
        sys.stderr.write(f"{error}\n")
        return UNAVAILABLE
    try:
        graph = pygraphviz.AGraph(string=sys.stdin.buffer.read().decode("utf-8"))
        graph.graph_attr["dpi"] = dpi
        sys.stdout.buffer.write(graph.draw(format=format_, prog="dot"))
    except ValueError as error:  # DotError too; Graphviz itself has said more on standard error
        sys.stderr.write(f"{error}\n")
        return REFUSED
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
