"""Graph -> PyTorch source as a person would write it.

========================  ========================================================================
:mod:`templates`          reads from the calls that execute a node how they are written
:mod:`constructions`      reads from modules how they are made
:mod:`structure`          makes the graph's scopes bodies of modules
:mod:`classes`            finds those that are alike, and the arguments in which they differ
:mod:`naming`             names them
:mod:`making`             writes what makes modules, and loops where they repeat
:mod:`forward`            writes forward passes
:mod:`writer`             writes classes
:mod:`file`               puts a file together
========================  ========================================================================
"""

from __future__ import annotations
