"""YAML text -> nodes: places, the meaning of scalars, and that no text takes long."""

from __future__ import annotations

import time

import pytest

from archcost.spec import SpecError, parse_value
from archcost.spec.document import MAX_BYTES, MAX_DEPTH, MAX_NODES, Document


def data(text):
    document = Document(text, "t.yaml")
    return document.data(document.root)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1),
        ("-12", -12),
        ("+3", 3),
        ("007", 7),
        ("1_000", 1000),
        ("1__0", "1__0"),
        ("1_", "1_"),
        ("0.5", 0.5),
        (".5", 0.5),
        ("1.", 1.0),
        ("1e3", 1000.0),
        ("-2.5e-1", -0.25),
        ("true", True),
        ("False", False),
        ("TRUE", "TRUE"),
        ("no", "no"),
        ("on", "on"),
        ("null", None),
        ("~", None),
        ("'1'", "1"),
        ('"true"', "true"),
        ("0x10", "0x10"),
        ("1:30", "1:30"),
        ("2001-01-01", "2001-01-01"),
        (".inf", ".inf"),
        ("[1, [a, 2.0]]", (1, ("a", 2.0))),
        ("{a: 1, b: {c: null}}", {"a": 1, "b": {"c": None}}),
        ("[&x [1], *x]", ((1,), (1,))),
        ("<<", "<<"),
    ],
)
def test_scalars(text, value):
    found = data(text)
    assert found == value
    assert type(found) is type(value)
    assert parse_value(text) == value


def test_no_value_is_an_empty_text():
    assert parse_value("") == ""
    assert parse_value("  ") == ""


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("", "", "is empty"),
        ("# nothing\n", "", "is empty"),
        ("a: 1\na: 2\n", ":2:1", "'a' stands twice in a mapping"),
        ("a: b\n\tc: d\n", ":2:1", "not YAML"),
        ("a: [1, 2\nb: 3\n", ":2:2", "not YAML"),
        ("a: 'b\n", ":2:1", "not YAML: found unexpected end of stream"),
        ("a: b: c\n", ":1:5", "mapping values are not allowed"),
        ("a\n---\nb\n", ":2:1", "a second document begins"),
        ("a: *b\n", ":1:4", "no anchor 'b'"),
        ("&a [*a]\n", ":1:5", "*a refers to itself"),
        ("&a {b: [c, *a]}\n", ":1:12", "*a refers to itself"),
        ("x: !!python/object/apply:os.system [ls]\n", ":1:4", "the tag 'tag:yaml.org,2002:python"),
        ("x: !!int '3'\n", ":1:4", "the tag"),
        ("x: !foo 3\n", ":1:4", "the tag '!foo' is not allowed"),
        ("[1]: 2\n", ":1:1", "expected a name, found a list"),
        ("? {a: 1}\n: 2\n", ":1:3", "expected a name, found a mapping"),
        ("a: 1e999\n", ":1:4", "too large"),
        ("a: 123456789012345678901\n", ":1:4", "the number 12345678901234567890... is too large"),
        ("é: 1\nnäme: a\x07b\n", ":2:8", "not YAML: control characters are not allowed"),
        ("a: \ud800", "", "not YAML"),
        ("a: \x00", ":1:4", "not YAML"),
        ("%YAML 9.9\n---\na\n", ":1:1", "not YAML"),
    ],
)
def test_errors(text, place, message):
    with pytest.raises(SpecError) as caught:
        data(text)
    assert str(caught.value).startswith(f"t.yaml{place}: ")
    assert message in str(caught.value)


def nested_aliases(levels):
    return "".join(f"- &a{k} [{f'*a{k - 1}' if k else 'x'}]\n" for k in range(levels))


def laughs(levels, width):
    lines = ["a0: &a0 [" + "x, " * width + "]"]
    lines += [f"a{k}: &a{k} [" + f"*a{k - 1}, " * width + "]" for k in range(1, levels)]
    return "\n".join(lines)


ATTACKS = {
    "flow lists": "[" * 900_000,
    "flow mappings": "{" * 900_000,
    "flow pairs": "{a: " * 200_000,
    "block lists": "- " * 450_000,
    "block keys": "? " * 450_000,
    "indented": "".join(" " * k + "a:\n" for k in range(1_000)),
    "colons": "a: " * 300_000,
    "anchors": "[" + "&a b, " * 150_000 + "]",
    "anchors alone": "&a " * 300_000,
    "aliases": "[" + "*a, " * 200_000 + "]",
    "many entries": "[" + "a," * 450_000 + "]",
    "many pairs": "a:\n" * 300_000,
    "many documents": "---\n" * 240_000,
    "nested by aliases": nested_aliases(10_000),
    "billion laughs": laughs(30, 10),
    "tags": "!a " * 300_000,
    "tag directives": "".join(f"%TAG !a{k}! b\n" for k in range(50_000)) + "---\na\n",
    "quotes": "'" * 900_001,
    "double quotes": '"' * 900_001,
    "digits": "1" * 900_000,
    "decimals": "1." + "1" * 900_000,
    "underscores": "1_" * 400_000,
    "long key": "? " + "a" * 900_000 + "\n: 1\n",
    "long anchor": "a: *" + "a" * 900_000,
    "too long": "a" * (MAX_BYTES + 1),
    "tabs": "a:" + "\t" * 900_000 + "- b",
}


@pytest.mark.parametrize("name", ATTACKS)
def test_attacks_end_soon(name):
    start = time.process_time()
    message = ""
    try:
        data(ATTACKS[name])
    except SpecError as error:
        message = str(error)
    assert time.process_time() - start < 10
    assert len(message) < 500


@pytest.mark.parametrize(
    "text",
    [ATTACKS[name] for name in ("flow lists", "nested by aliases", "billion laughs")]
    + ["[" + "a," * (MAX_NODES + 1) + "]", "[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1)],
)
def test_what_is_too_large_is_refused(text):
    with pytest.raises(SpecError, match=f"more than ({MAX_DEPTH} levels|{MAX_NODES} nodes)"):
        data(text)


def test_the_deepest_document():
    value = data("[" * MAX_DEPTH + "]" * MAX_DEPTH)
    for _ in range(MAX_DEPTH - 1):
        (value,) = value
    assert value == ()
