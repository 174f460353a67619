"""Protocol buffers' text format: text -> :class:`Message`, for any schema.

The grammar is that of https://protobuf.dev/reference/protobuf/textformat-spec/. What a field means
is the reader's business: here fields have names, places and values, in the order of the text. A
value is a :class:`Message`, an int, a float, a str (it was quoted) or a :class:`Word` (it was not:
``MAX``, ``true``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from archcost.sources.errors import ModelFileError

if TYPE_CHECKING:
    from lark import Lark, Token
    from lark.exceptions import UnexpectedInput, UnexpectedToken

MAX_BYTES: Final = 2_000_000
"""Longest text that is parsed: fourteen times that of Inception-ResNet-v2's network."""
MAX_VALUES: Final = 200_000
"""Most values: twenty times ResNet-152's."""
MAX_DEPTH: Final = 100
"""Messages within messages: the limit of protobuf's own parsers."""

# Quantifiers with ++ and *+ never go back, and keep no record for it.
GRAMMAR: Final = r"""
start: _entry*
_entry: entry _separator?
entry: (NAME | EXTENSION) (":" (_value | _list) | message | _messages)
message: "{" _entry* "}" | "<" _entry* ">"
_value: NUMBER | WORD | text | message
text: STRING+
_list: "[" [_value ("," _value)*] "]"
_messages: "[" [message ("," message)*] "]"
_separator: "," | ";"

NAME: /[A-Za-z_][A-Za-z0-9_]*/
EXTENSION: /\[[ \t]*[A-Za-z_][A-Za-z0-9_.\/-]*[ \t]*\]/
WORD: /(?:-[ \t]*+)?[A-Za-z_][A-Za-z0-9_]*/
NUMBER: /(?a:(-[ \t]*+)?(0[xX][\da-fA-F]+|(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?[fF]?)(?![\w.]))/
STRING: /"(?:[^"\\\n]++|\\.)*+"|'(?:[^'\\\n]++|\\.)*+'/
SPACE: /(?:[ \t\r\n\f\v]++|#[^\n]*+)++/
%ignore SPACE
"""

_SAID: Final = {
    "NAME": "a field's name",
    "WORD": "a value",
    "COLON": "':'",
    "LBRACE": "'{'",
    "RBRACE": "'}'",
    "RSQB": "']'",
    "$END": "the end of the file",
}
"""Terminals that a message names among those that it expected; the others go without saying."""

_ESCAPE: Final = re.compile(
    rb"\\(?:([0-7]{1,3})|[xX]([0-9a-fA-F]{1,2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))", re.DOTALL
)
_ESCAPED: Final = {
    b"a": b"\a",
    b"b": b"\b",
    b"f": b"\f",
    b"n": b"\n",
    b"r": b"\r",
    b"t": b"\t",
    b"v": b"\v",
}


class Word(str):
    """A value without quotes: the name of an enumeration's member, ``true``, ``inf``."""

    __slots__ = ()


class Entry(NamedTuple):
    """One value of one field: a list gives as many entries as it has values."""

    name: str
    value: Value
    line: int
    column: int


class Message:
    """Fields with their values, in order; a field that was given twice has two entries."""

    __slots__ = ("depth", "entries")

    entries: list[Entry]
    depth: int

    def __init__(self, entries: list[Entry]) -> None:
        inner = [entry.value.depth for entry in entries if isinstance(entry.value, Message)]
        self.entries = entries
        self.depth = 1 + max(inner, default=0)

    def __iter__(self) -> Iterator[Entry]:
        return iter(self.entries)

    def __getitem__(self, name: str) -> list[Entry]:
        """The entries of the field ``name``: none, one or several."""
        return [entry for entry in self.entries if entry.name == name]


Value = Message | Word | str | int | float


class _BrokenError(Exception):
    """What the grammar allows and a parser refuses, at its place."""

    def __init__(self, what: str, token: Token) -> None:
        super().__init__(what)
        self.line, self.column = token.line, token.column


def parse(text: str, file: str) -> Message:
    """The message that ``text`` is; ``file`` is its name in messages.

    Raises:
        ModelFileError: the text is too long or broken, with the place and what was expected there.
    """
    from lark.exceptions import UnexpectedInput

    if len(text) > MAX_BYTES:
        raise ModelFileError(f"{file}: more than {MAX_BYTES} characters; no network is that long")
    # An upper bound, found in no time.
    if sum(map(text.count, ":,{<")) + sum(map(text.count, "'\"")) // 2 > MAX_VALUES:
        raise ModelFileError(f"{file}: more than {MAX_VALUES} fields; no network has that many")
    try:
        result = _parser().parse(text)
    except UnexpectedInput as error:
        raise ModelFileError(f"{file}:{_complaint(error, text)}") from None
    except _BrokenError as error:
        raise ModelFileError(f"{file}:{error.line}:{error.column}: {error}") from None
    return cast(Message, result)


@cache
def _parser() -> Lark:
    from lark import Lark, Transformer

    class Build(Transformer[Any, Any]):
        """Puts the messages together while the text is parsed; no tree is made in between."""

        def start(self, children: list[Entry | list[Entry]]) -> Message:
            return Message(_flat(children))

        message = start

        def entry(self, children: list[Any]) -> Entry | list[Entry]:
            token, *values = children
            name = str(token)
            for value in values:
                if isinstance(value, Message) and value.depth > MAX_DEPTH:
                    raise _BrokenError(f"more than {MAX_DEPTH} messages in one another", token)
            if len(values) == 1:
                return Entry(name, values[0], token.line, token.column)
            return [Entry(name, value, token.line, token.column) for value in values]

        def text(self, children: list[Token]) -> str:
            return _text(children)

        def NUMBER(self, token: Token) -> int | float:  # noqa: N802 - the terminal's name
            return _number(token)

        def WORD(self, token: Token) -> Word | float:  # noqa: N802
            return _word(token)

    return Lark(
        GRAMMAR,
        parser="lalr",
        lexer="contextual",
        transformer=Build(),
        maybe_placeholders=False,
    )


def _flat(children: list[Entry | list[Entry]]) -> list[Entry]:
    entries: list[Entry] = []
    for child in children:
        if isinstance(child, Entry):
            entries.append(child)
        else:
            entries += child
    return entries


def _number(token: Token) -> int | float:
    """An integer in decimal, octal (017) or hexadecimal (0x1F), or a float (1.5, 1e3, 2f)."""
    sign = -1 if token[0] == "-" else 1
    digits = token.lstrip("- \t").lower()
    if digits.startswith("0x"):
        return sign * int(digits, 16)
    if not digits.isdigit():
        return sign * float(digits.rstrip("f"))
    if len(digits) > 20:
        raise _BrokenError("an integer beyond 64 bits", token)
    if digits[0] == "0" and len(digits) > 1:
        if "8" in digits or "9" in digits:
            raise _BrokenError(f"{digits} is no octal number", token)
        return sign * int(digits, 8)
    return sign * int(digits)


def _word(token: Token) -> Word | float:
    if token[0] != "-":
        return Word(token)
    word = token.lstrip("- \t")
    if word.lower() not in ("inf", "infinity", "nan"):
        raise _BrokenError(f"expected a number behind '-', found {word[:40]!r}", token)
    return -float(word)


def _text(tokens: list[Token]) -> str:
    """The text of strings one behind the other. Escapes stand for bytes of it in UTF-8."""
    bodies = [token[1:-1] for token in tokens]
    if not any("\\" in body for body in bodies):
        return "".join(bodies)
    try:
        return b"".join([_ESCAPE.sub(_unescaped, body.encode()) for body in bodies]).decode()
    except UnicodeError:
        raise _BrokenError("a string that is no UTF-8", tokens[0]) from None


def _unescaped(match: re.Match[bytes]) -> bytes:
    octal, byte, short, long, plain = match.groups()
    if octal:
        return bytes([int(octal, 8) & 0xFF])
    if byte:
        return bytes([int(byte, 16)])
    if code := short or long:
        return chr(min(int(code, 16), 0x10FFFF)).encode()
    return _ESCAPED.get(plain, plain)


def _complaint(error: UnexpectedInput, text: str) -> str:
    """``line:column: expected ..., found ...``"""
    from lark.exceptions import UnexpectedCharacters, UnexpectedToken

    if isinstance(error, UnexpectedCharacters):
        rest = text[error.pos_in_stream :].split("\n", 1)[0]
        if rest[0] in "\"'":
            return f"{error.line}:{error.column}: a string that does not end on its line"
        return (
            f"{error.line}:{error.column}: expected {_expected(error.allowed)}, found {rest[:20]!r}"
        )
    assert isinstance(error, UnexpectedToken)
    if error.token.type == "$END":
        line = text.count("\n") + 1
        column = len(text) - text.rfind("\n")
        return f"{line}:{column}: the file ends{_within(error)}"
    return (
        f"{error.line}:{error.column}: expected {_expected(error.accepts or error.expected)}, "
        f"found {str(error.token)[:40]!r}"
    )


def _expected(terminals: set[str]) -> str:
    said = [words for name, words in _SAID.items() if name in terminals]
    return " or ".join(said) or "a field"


def _within(error: UnexpectedToken) -> str:
    """Where the innermost message begins that the end of the file leaves open."""
    parser = error.interactive_parser
    stack = parser.parser_state.value_stack
    opened = [t for t in stack if getattr(t, "type", None) in ("LBRACE", "LESSTHAN")]
    if not opened:
        return f" where {_expected(error.accepts or error.expected)} was expected"
    return f" within the message that begins in line {opened[-1].line}"
