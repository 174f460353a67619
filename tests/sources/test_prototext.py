"""Protobuf's text format, held against protobuf's own parser where that is installed."""

from __future__ import annotations

import time
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archcost.sources.errors import ModelFileError
from archcost.sources.prototext import MAX_DEPTH, Message, Word, parse


def plain(message):
    """The message as pairs of name and value."""
    return [
        (entry.name, plain(entry.value) if isinstance(entry.value, Message) else entry.value)
        for entry in message
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("# nothing\n", []),
        ("a: 1", [("a", 1)]),
        ("a: 1 a: 2", [("a", 1), ("a", 2)]),
        ("a: [1, 2]", [("a", 1), ("a", 2)]),
        ("a: []", []),
        ("a: [\n1\n]", [("a", 1)]),
        ("a: 1, b: 2; c: 3", [("a", 1), ("b", 2), ("c", 3)]),
        ("a:1b:2", None),
        ("a { b: 1 }", [("a", [("b", 1)])]),
        ("a: { b: 1 },", [("a", [("b", 1)])]),
        ("a < b: 1 >", [("a", [("b", 1)])]),
        ("a {}", [("a", [])]),
        ("a [{ b: 1 }, < b: 2 >]", [("a", [("b", 1)]), ("a", [("b", 2)])]),
        ("a: [{ b: 1 }]", [("a", [("b", 1)])]),
        ("[pack.age/ext.x] { a: 1 }", [("[pack.age/ext.x]", [("a", 1)])]),
        ("a: MAX b: true", [("a", "MAX"), ("b", "true")]),
        ("a: 0x1F b: 017 c: -0xa d: 0", [("a", 31), ("b", 15), ("c", -10), ("d", 0)]),
        ("a: 1.5 b: .5 c: 5. d: 1e3", [("a", 1.5), ("b", 0.5), ("c", 5.0), ("d", 1000.0)]),
        ("a: 1.5f b: 2F c: -1e-2f", [("a", 1.5), ("b", 2.0), ("c", -0.01)]),
        ("a: -inf b: - 3", [("a", float("-inf")), ("b", -3)]),
        ('a: "x" \'y\' # and\n "z"', [("a", "xyz")]),
        (r"a: '\n\t\"\'\\' b: '\x41\101\u00e9'", [("a", "\n\t\"'\\"), ("b", "AA\u00e9")]),
        (r"a: '\303' '\251'", [("a", "\u00e9")]),
        ("a: '#' b: \"{\" # }\nc: 1", [("a", "#"), ("b", "{"), ("c", 1)]),
        (
            "layer{name:'a'}layer{name:'b'}",
            [("layer", [("name", "a")]), ("layer", [("name", "b")])],
        ),
    ],
)
def test_texts(text, expected):
    if expected is None:
        with pytest.raises(ModelFileError):
            parse(text, "t")
    else:
        assert plain(parse(text, "t")) == expected


def test_words_are_told_from_texts():
    word, text = (entry.value for entry in parse("a: MAX a: 'MAX'", "t"))
    assert isinstance(word, Word)
    assert not isinstance(text, Word)


def test_places():
    message = parse("a: 1\n  b {\n c: [2,\n3] }", "t")
    a, b = message
    assert (a.line, a.column, b.line, b.column) == (1, 1, 2, 3)
    assert [(entry.line, entry.column) for entry in b.value] == [(3, 2), (3, 2)]
    assert message["b"] == [b]
    assert message["c"] == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a", "1:2: the file ends where ':' or '{' was expected"),
        ("a:", "1:3: the file ends where a value"),
        ("a {\n b { c: 1", "2:10: the file ends within the message that begins in line 2"),
        ("a: }", "1:4: expected a value or '{', found '}'"),
        ("a: 1 }", "1:6: expected a field's name or the end of the file, found '}'"),
        ("a 1", "1:3: expected ':' or '{', found '1'"),
        ("a: [1 2]", "1:7: expected ']', found '2'"),
        ('a: "x\ny"', "1:4: a string that does not end on its line"),
        ("a: 1.2.3", "1:4: expected a value or '{', found '1.2.3'"),
        ("a: 1x", "1:4: expected a value or '{', found '1x'"),
        (r"a: '\377'", "1:4: a string that is no UTF-8"),
        ("a: 08", "1:4: 08 is no octal number"),
        ("a: -x", "1:4: expected a number behind '-', found 'x'"),
        ("a: 123456789012345678901", "1:4: an integer beyond 64 bits"),
        ("a: 1 ?", "1:6: expected a field's name.*found '[?]'"),
        ("b: 1 " + "a{" * 101 + "}" * 101, "1:6: more than 100 messages in one another"),
        ("a: 1 " * 200_001, " more than 200000 fields"),
        ("#" * 2_000_001, " more than 2000000 characters"),
    ],
)
def test_mistakes(text, message):
    with pytest.raises(ModelFileError, match=f"^t:{message}") as caught:
        parse(text, "t")
    assert len(str(caught.value)) < 200


def test_depth():
    assert parse("a{" * (MAX_DEPTH - 1) + "}" * (MAX_DEPTH - 1), "t").depth == MAX_DEPTH


@pytest.mark.parametrize(
    "text",
    [
        "a:1 " * 60_000,
        "a: [" + "1," * 190_000 + "1]",
        "a: '" + "x" * 1_900_000 + "'",
        "a: '" + r"\n" * 900_000 + "'",
        "a: " + "'x' " * 190_000,
        "a{" * 60_000 + "}" * 60_000,
        "[" * 1_000_000,
        "a: -" + " " * 1_900_000,
        "a: " + "1" * 1_900_000,
        " " * 1_900_000 + "?",
    ],
    ids=lambda text: text[:8],
)
def test_long_texts_take_no_time(text):
    start = time.process_time()
    with suppress(ModelFileError):
        parse(text, "t")
    assert time.process_time() - start < 30


# --- protobuf's own parser ----------------------------------------------------------------------

SCALARS = {"i": "INT64", "u": "UINT64", "f": "DOUBLE", "b": "BOOL", "s": "STRING", "e": "ENUM"}


@pytest.fixture(scope="module")
def schema():
    """protobuf's text_format, and a message with a repeated field of each type and itself."""
    pytest.importorskip("google.protobuf")
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format

    file = descriptor_pb2.FileDescriptorProto(name="t.proto", package="t", syntax="proto2")
    enum = file.enum_type.add(name="E")
    for number, name in enumerate(("MAX", "AVE", "true_value")):
        enum.value.add(name=name, number=number)
    message = file.message_type.add(name="M")
    kinds = descriptor_pb2.FieldDescriptorProto
    for number, (name, kind) in enumerate([*SCALARS.items(), ("m", "MESSAGE")], 1):
        field = message.field.add(name=name, number=number, label=kinds.LABEL_REPEATED)
        field.type = getattr(kinds, f"TYPE_{kind}")
        if kind in ("ENUM", "MESSAGE"):
            field.type_name = ".t.E" if kind == "ENUM" else ".t.M"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return text_format, message_factory.GetMessageClass(pool.FindMessageTypeByName("t.M"))


def as_protobuf(message, cls):
    """Our message as protobuf's."""
    result = cls()
    for name, value in plain(message):
        if name == "m":
            result.m.append(as_pairs(value, cls))
        else:
            getattr(result, name).append(converted(name, value))
    return result


def as_pairs(pairs, cls):
    result = cls()
    for name, value in pairs:
        if name == "m":
            result.m.append(as_pairs(value, cls))
        else:
            getattr(result, name).append(converted(name, value))
    return result


def converted(name, value):
    if name == "b":
        return {"true": True, "false": False}.get(value, value)
    if name == "f" and isinstance(value, str):
        return float(value)
    return ["MAX", "AVE", "true_value"].index(value) if name == "e" and value != 1 else value


def messages():
    scalars = st.fixed_dictionaries(
        {
            "i": st.lists(st.integers(-(2**63), 2**63 - 1), max_size=3),
            "u": st.lists(st.integers(0, 2**64 - 1), max_size=2),
            "f": st.lists(st.floats(allow_nan=False), max_size=3),
            "b": st.lists(st.booleans(), max_size=2),
            "s": st.lists(st.text(st.characters(codec="utf-8"), max_size=8), max_size=2),
            "e": st.lists(st.integers(0, 2), max_size=2),
        }
    )
    return st.recursive(scalars, lambda inner: st.tuples(scalars, st.lists(inner, max_size=3)))


def built(cls, drawn):
    fields, inner = drawn if isinstance(drawn, tuple) else (drawn, [])
    message = cls()
    for name, values in fields.items():
        getattr(message, name).extend(values)
    message.m.extend(built(cls, one) for one in inner)
    return message


@given(drawn=messages(), style=st.tuples(*[st.booleans()] * 4))
def test_what_protobuf_writes(schema, drawn, style):
    text_format, cls = schema
    message = built(cls, drawn)
    one_line, utf8, brackets, short = style
    text = text_format.MessageToString(
        message,
        as_one_line=one_line,
        as_utf8=utf8,
        pointy_brackets=brackets,
        use_short_repeated_primitives=short,
    )
    assert as_protobuf(parse(text, "t"), cls) == message


PIECES = [*"miufbse", *":{}<>[],;-'\"", "1", "0x1F", "017", "1.5f", "1e3", "true", "MAX", "inf"]
PIECES += ["m {", "}", "i: 1", "i: [1, 2]", 's: "a"', "'b'", "e: MAX", "b: true", "f: -inf", "#c\n"]


@given(st.lists(st.sampled_from(PIECES), max_size=14).map(" ".join))
def test_what_protobuf_reads(schema, text):
    """The same texts are right, where the schema does not matter: ours has none."""
    text_format, cls = schema
    try:
        theirs = text_format.Parse(text, cls())
    except text_format.ParseError:
        return
    assert as_protobuf(parse(text, "t"), cls) == theirs
