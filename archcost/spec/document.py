"""YAML text -> nodes with places, safely: bounded size, depth and number of nodes, no tags.

PyYAML's C parser gives the events; they are composed here, without recursion, because its own
composer recurses in C and overflows the stack on deep nesting. What a scalar means is decided
here too, by the rules of YAML 1.2's core schema (``no`` and ``on`` are words, not booleans).
"""

from __future__ import annotations

import math
import re
from typing import Any, Final

import yaml

from archcost.spec.errors import Mark, SpecError, shown

try:
    from yaml._yaml import CParser as Parser
except ImportError as error:  # pragma: no cover - PyYAML without libyaml
    raise ImportError("archcost needs PyYAML with its C parser (libyaml)") from error

MAX_BYTES: Final = 1_000_000
MAX_NODES: Final = 100_000
MAX_DEPTH: Final = 64
MAX_KEY: Final = 200
MAX_DIRECTIVES: Final = 100

_INTEGER: Final = re.compile(r"[-+]?[0-9]+(_[0-9]+)*\Z")
_FLOAT: Final = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z")
_WORDS: Final[dict[str, bool | None]] = {
    "true": True,
    "True": True,
    "false": False,
    "False": False,
    "null": None,
    "~": None,
    "": None,
}


class Node:
    """A node of the document and where it begins (counted from 1).

    ``height`` is the number of levels below it, those behind aliases included.
    """

    __slots__ = ("column", "height", "line")

    def __init__(self, line: int, column: int) -> None:
        self.line = line
        self.column = column
        self.height = 0


class Scalar(Node):
    """``text`` as written; ``plain`` when it is not quoted."""

    __slots__ = ("plain", "text")

    def __init__(self, line: int, column: int, text: str, plain: bool) -> None:
        super().__init__(line, column)
        self.text = text
        self.plain = plain


class Sequence(Node):
    __slots__ = ("items",)

    def __init__(self, line: int, column: int) -> None:
        super().__init__(line, column)
        self.items: list[Node] = []


class Mapping(Node):
    """Keys and values in turn."""

    __slots__ = ("items",)

    def __init__(self, line: int, column: int) -> None:
        super().__init__(line, column)
        self.items: list[Node] = []


def _compose(text: str, file: str, what: str) -> Node | None:
    """The root node of the one document in ``text``; None where there is none."""
    # libyaml compares each %TAG directive with all others; tags are refused anyway.
    if text.count("%TAG") > MAX_DIRECTIVES:
        raise SpecError(f"more than {MAX_DIRECTIVES} %TAG directives", file)
    anchors: dict[str, Node] = {}
    count = 0
    stack: list[Sequence | Mapping] = []
    root: Node | None = None
    try:
        parser: Any = Parser(text)
    except ValueError as error:  # what UTF-8 cannot encode
        raise SpecError(f"not YAML: {error}", file) from None
    try:
        while (event := parser.get_event()) is not None:
            kind: Any = type(event)
            if kind is yaml.SequenceEndEvent or kind is yaml.MappingEndEvent:
                closed = stack.pop()
                closed.height = 1 + max([item.height for item in closed.items], default=0)
                if closed.height > MAX_DEPTH:
                    raise SpecError(
                        f"nested more than {MAX_DEPTH} levels deep",
                        Mark(file, closed.line, closed.column),
                    )
                continue
            if kind is yaml.DocumentStartEvent and root is not None:
                mark = event.start_mark
                raise SpecError(
                    f"a second document begins; a {what} is one document",
                    Mark(file, mark.line + 1, mark.column + 1),
                )
            if not issubclass(kind, yaml.NodeEvent):
                continue
            line, column = event.start_mark.line + 1, event.start_mark.column + 1
            node: Node
            count += 1
            if count > MAX_NODES:
                raise SpecError(
                    f"the {what} has more than {MAX_NODES} nodes", Mark(file, line, column)
                )
            if kind is yaml.AliasEvent:
                found = anchors.get(event.anchor)
                if found is None:
                    raise SpecError(f"no anchor {shown(event.anchor)}", Mark(file, line, column))
                if found in stack:
                    raise SpecError(
                        f"*{event.anchor:.60} refers to itself", Mark(file, line, column)
                    )
                node = found
            else:
                if event.tag is not None and event.tag != "!":
                    raise SpecError(
                        f"the tag {event.tag!r:.60} is not allowed: a {what} is plain data",
                        Mark(file, line, column),
                    )
                if kind is yaml.ScalarEvent:
                    node = Scalar(line, column, event.value, not event.style)
                else:
                    node = (Sequence if kind is yaml.SequenceStartEvent else Mapping)(line, column)
                if event.anchor is not None:
                    anchors[event.anchor] = node
            if stack:
                stack[-1].items.append(node)
            else:
                root = node
            if isinstance(node, Sequence | Mapping) and kind is not yaml.AliasEvent:
                if len(stack) >= MAX_DEPTH:
                    raise SpecError(
                        f"nested more than {MAX_DEPTH} levels deep", Mark(file, line, column)
                    )
                stack.append(node)
    except SpecError:
        raise
    except yaml.MarkedYAMLError as error:
        place = error.problem_mark or error.context_mark
        where = Mark(file, place.line + 1, place.column + 1) if place else file
        context = f" ({error.context})" if error.context else ""
        raise SpecError(f"not YAML: {error.problem}{context}", where) from None
    except yaml.reader.ReaderError as error:
        raise SpecError(f"not YAML: {error.reason}", _place(text, error, file)) from None
    except (yaml.YAMLError, ValueError) as error:
        raise SpecError(f"not YAML: {' '.join(str(error).split())}", file) from None
    finally:
        parser.dispose()
    return root


def _place(text: str, error: yaml.reader.ReaderError, file: str) -> Mark:
    """Where the character stands that YAML does not have; libyaml gives its place in bytes."""
    before = text.encode()[: error.position].decode(errors="ignore")
    line = before.count("\n") + 1
    return Mark(file, line, len(before) - (before.rfind("\n") + 1) + 1)


class Document:
    """One YAML document and the ways to read its nodes with good messages.

    ``what`` it is and has, for messages.
    """

    def __init__(
        self, text: str, file: str, what: str = "spec", has: str = "name, input, layers"
    ) -> None:
        self.file = file
        self.what = what
        self._visits = 0
        if len(text) > MAX_BYTES:
            raise SpecError(f"a {what} of {len(text)} characters, at most {MAX_BYTES}", file)
        root = _compose(text, file, what)
        if root is None:
            raise SpecError(f"the file is empty; expected a mapping with {has}", file)
        self.root: Node = root

    def mark(self, node: Node) -> Mark:
        """Where ``node`` begins."""
        return Mark(self.file, node.line, node.column)

    def error(self, node: Node, message: str) -> SpecError:
        return SpecError(message, self.mark(node))

    def _visit(self, node: Node) -> None:
        # Counted at each visit, not each node: an alias is visited as often as it is used.
        self._visits += 1
        if self._visits > MAX_NODES:
            raise self.error(
                node, f"the {self.what} has more than {MAX_NODES} nodes, aliases expanded"
            )

    def scalar(self, node: Node) -> Any:
        """The value of a scalar node: None, bool, int, float or str."""
        self._visit(node)
        if not isinstance(node, Scalar):
            raise self.error(node, f"expected a single value, found {describe(node)}")
        text = node.text
        if not node.plain:
            return text
        if text in _WORDS:
            return _WORDS[text]
        if _INTEGER.match(text):
            if len(text) > 20:
                raise self.error(node, f"the number {text[:20]}... is too large")
            return int(text)
        if _FLOAT.match(text):
            number = float(text) if len(text) <= 100 else math.inf
            if not math.isfinite(number):
                raise self.error(node, f"the number {text[:20]} is too large or too long")
            return number
        return text

    def text(self, node: Node, what: str) -> str:
        """A scalar as text, whatever it looks like (``name: 1.0`` is the text ``1.0``)."""
        self._visit(node)
        if not isinstance(node, Scalar) or (not node.text and node.plain):
            raise self.error(node, f"expected {what}, found {describe(node)}")
        return node.text

    def sequence(self, node: Node, what: str) -> list[Node]:
        """The items of a sequence node."""
        self._visit(node)
        if not isinstance(node, Sequence):
            raise self.error(node, f"expected {what}, found {describe(node)}")
        return node.items

    def mapping(self, node: Node, what: str) -> dict[str, tuple[Node, Node]]:
        """The entries of a mapping node: name -> (key node, value node)."""
        self._visit(node)
        if not isinstance(node, Mapping):
            raise self.error(node, f"expected {what}, found {describe(node)}")
        entries: dict[str, tuple[Node, Node]] = {}
        for key, value in zip(node.items[::2], node.items[1::2], strict=True):
            name = self.text(key, "a name")
            if len(name) > MAX_KEY:
                raise self.error(
                    key, f"a name of {len(name)} characters in {what}, at most {MAX_KEY}"
                )
            if name in entries:
                raise self.error(key, f"{name!r} stands twice in {what}")
            entries[name] = key, value
        return entries

    def data(self, node: Node) -> Any:
        """Any node as plain data: scalars, tuples and dicts."""
        if isinstance(node, Sequence):
            return tuple(self.data(item) for item in self.sequence(node, "a list"))
        if isinstance(node, Mapping):
            entries = self.mapping(node, "a mapping")
            return {name: self.data(value) for name, (_, value) in entries.items()}
        return self.scalar(node)


def describe(node: Node) -> str:
    """What a node is, for "found ..."."""
    if isinstance(node, Mapping):
        return "a mapping"
    if isinstance(node, Sequence):
        return "a list"
    assert isinstance(node, Scalar)
    if not node.text and node.plain:
        return "nothing"
    return repr(node.text if len(node.text) <= 40 else node.text[:37] + "...")
