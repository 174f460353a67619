"""Whatever is read, only an ArchcostError comes out, and soon.

ARCHCOST_FUZZ=20 runs twenty times as many examples.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from archcost.analysis import analyze
from archcost.ir import ArchcostError
from archcost.ir.ops import OPERATORS
from archcost.sources import zoo
from archcost.spec import expand, parse, parse_file, parse_value
from archcost.spec.parse import COMMON_KEYS, SOURCE_KEYS, TOP_KEYS, VARIANT_KEYS

TIMES = int(os.environ.get("ARCHCOST_FUZZ", "1"))
LONGEST = 20.0


def examples(count):
    return settings(
        max_examples=count * TIMES,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )


def survive(text, *, variants=True):
    """Load and analyse ``text``, or be refused."""
    start = time.process_time()
    message = ""
    try:
        spec = parse(text, "fuzz.yaml", zoo.libraries())
        for name in spec.names[: 2 if variants else 1]:
            assert analyze(expand(spec, name)).totals.params >= 0
    except ArchcostError as error:
        message = str(error)
    assert time.process_time() - start < LONGEST
    assert len(message) < 1000


# --- random text and bytes ----------------------------------------------------------------------

TOKENS = [*"-?:,[]{}#&*!|>'\"%@`$\n\t ", "- ", ": ", "\n  ", "\n- ", "---\n", "...\n", "&a ", "*a"]
TOKENS += ["name: ", "layers: ", "relu", "conv", "$x", "${", "1", "1e9", "\x00", "\ud800", "\x85"]


@examples(150)
@given(st.text(max_size=80) | st.lists(st.sampled_from(TOKENS), max_size=40).map("".join))
def test_text(text):
    survive(text)
    survive(f"name: t\ninput: [3, 8, 8]\nlayers:\n{text}")
    with suppress(ArchcostError):
        parse_value(text)


@examples(60)
@given(st.binary(max_size=60))
def test_bytes(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "fuzz.yaml"
    path.write_bytes(data)
    with suppress(ArchcostError):
        parse_file(path, zoo.libraries())


# --- the zoo's specs, broken --------------------------------------------------------------------

SPECS = {
    path.stem: path.read_text(encoding="utf-8") for path in sorted(zoo.folder().glob("*.yaml"))
}
PIECES = [
    *("[", "]", "{", "}", ":", ",", "-", "$", "'", '"', "\n", "  ", "null", "true", "0", "-1"),
    *("1.5", "1e308", "99999999999", "[]", "{}", "$x", "$i", "input", ".", "*a", "&a ", "!t "),
    *("repeat", "conv", "relu", "concat", "same", "from", "as", "when", "name", "times", "layers"),
]


@st.composite
def mutated(draw):
    text = SPECS[draw(st.sampled_from(sorted(SPECS)))]
    for _ in range(draw(st.integers(1, 4))):
        unit = draw(st.sampled_from(["line", "word", "character", "number"]))
        if unit == "line":
            parts, glue = text.split("\n"), "\n"
        elif unit == "character":
            parts, glue = list(text), ""
        else:
            parts, glue = text.split(" "), " "
        at = draw(st.integers(0, len(parts) - 1))
        match draw(st.sampled_from(["delete", "double", "replace", "swap"])):
            case "delete":
                del parts[at]
            case "double":
                parts.insert(at, parts[at])
            case "replace":
                parts[at] = draw(st.sampled_from(PIECES))
            case "swap":
                other = draw(st.integers(0, len(parts) - 1))
                parts[at], parts[other] = parts[other], parts[at]
        text = glue.join(parts)
        if not text:
            break
    return text


@examples(120)
@given(mutated())
def test_mutated_specs(text):
    survive(text, variants=False)


# --- specs of the right words in the wrong places -----------------------------------------------

WORDS = [*OPERATORS, "scope", "repeat", "parallel", "residual", "dense", "head", "graph_output"]
WORDS += ["if", "b", "conv_bn_relu", "unknown"]
KEYS = [*COMMON_KEYS, "share", "layers", "branches", "times", "each", "index", "merge", "shortcut"]
KEYS += ["then", "else", "if", "out", "kernel", "stride", "padding", "groups", "bias", "rate"]
KEYS += ["dim", "shape", "sizes", "channels", "heads", "dtype", "default", "min", "max", "choices"]
SCALARS = [
    0,
    1,
    2,
    3,
    8,
    -1,
    1.5,
    True,
    None,
    "x",
    "input",
    ".",
    "same",
    "$p",
    "$q",
    "$i",
    "$p + 1",
]
SCALARS += ["$p // 0", "a$p", "${$p * 2}", "sum", "ceil", "$l", "$l[0]", 10**9, 2**40, "", "no"]

scalars = st.sampled_from(SCALARS)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=3)
    ),
    max_leaves=5,
)
plain_items = st.sampled_from(WORDS) | st.builds(
    lambda word, arguments: {word: arguments},
    st.sampled_from(WORDS),
    st.dictionaries(st.sampled_from(KEYS), values, max_size=4) | values,
)


def structures(items):
    layers = st.lists(items, max_size=3)
    common = st.fixed_dictionaries({}, optional={"name": scalars, "from": scalars, "as": scalars})

    def item(word, **parts):
        return st.builds(
            lambda more, given: {word: {**more, **given}}, common, st.fixed_dictionaries(parts)
        )

    few = st.sampled_from([0, 1, 2, 3, "$p", "$i", -1])
    return st.one_of(
        item("scope", name=scalars, layers=layers),
        item("repeat", times=few, index=st.just("i"), layers=layers),
        item("repeat", each=st.dictionaries(st.just("i"), values), layers=layers),
        item("dense", times=few, layers=layers),
        item("residual", layers=layers),
        item("parallel", branches=st.lists(layers, max_size=3), merge=scalars),
        item("head", name=scalars, layers=layers),
        st.fixed_dictionaries({"if": values, "then": layers, "else": layers}),
    )


def operators():
    sizes = st.sampled_from([1, 2, 3, 4, 5, "$p", [1, 2], [3, 3]])
    names = sorted({"out", "kernel", "stride", "padding", "groups", "dilation", "bias", "dim"})
    return st.builds(
        lambda word, arguments: {word: arguments},
        st.sampled_from(sorted(OPERATORS)),
        st.dictionaries(st.sampled_from(names), sizes, max_size=3) | sizes,
    )


items = st.recursive(operators() | operators() | plain_items, structures, max_leaves=8)
documents = st.fixed_dictionaries(
    {
        "name": st.just("t"),
        "input": st.sampled_from([[3, 8, 8], [4], [2, 5], [2, 4, 4, 4], ["$p", 3], 3, []]),
        "parameters": st.just({"p": 2, "q": "word", "l": [1, 2]})
        | st.dictionaries(st.sampled_from(["p", "q", "i", "if"]), values, max_size=3),
        "use": st.just(["common"]),
        "layers": st.lists(items, max_size=5),
    },
    optional={
        "blocks": st.fixed_dictionaries(
            {
                "b": st.fixed_dictionaries(
                    {"layers": st.lists(items, max_size=3)},
                    optional={"parameters": st.dictionaries(st.sampled_from(KEYS), values)},
                )
            }
        ),
        "variants": st.dictionaries(
            st.sampled_from(["u", "t"]),
            st.dictionaries(st.sampled_from([*VARIANT_KEYS, "x"]), values, max_size=3)
            | st.fixed_dictionaries({"layers": st.lists(items, max_size=3)}),
            max_size=2,
        ),
        "title": values,
        "source": st.dictionaries(st.sampled_from(SOURCE_KEYS), values, max_size=2),
    },
)


def written(value):
    """``value`` as YAML, in flow style; texts are written as they are, so that most are words."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {written(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(written, value)) + "]"
    if isinstance(value, str):
        return f'"{value}"' if not value or set(value) & set("{}[],:") else value
    if value is None or isinstance(value, bool):
        return str(value).lower().replace("none", "null")
    return str(value)


@examples(250)
@given(documents)
def test_documents_of_the_grammar_s_words(document):
    survive(written(document))


@examples(60)
@given(st.dictionaries(st.sampled_from(TOP_KEYS), values, max_size=6))
def test_documents_of_any_kind(document):
    survive(written(document))


def test_many_variants_of_many_layers_are_read_in_time():
    layers = "[" + ", ".join(["conv: {out: $w}"] * 15_000) + "]"
    variants = [f"v{i}: {{set: {{w: {i + 1}}}}}" for i in range(998)]
    survive(
        "name: t\ninput: [3, 8, 8]\nparameters: {w: 1, v: 1}\n"
        f"layers: {layers}\nvariants: {{{', '.join(variants)}, own: {{layers: [conv: $v]}}}}",
        variants=False,
    )


# --- settings -----------------------------------------------------------------------------------


def near(setting, value):
    """Values around those that a parameter of the zoo takes."""
    options = [
        st.sampled_from([value, None, True, False, 0, 1, -1, 0.5, "", "x", [], (), {}, [[1]]]),
        st.floats(),
    ]
    if setting.choices:
        options.append(st.sampled_from(setting.choices))
    if isinstance(value, bool):
        options.append(st.booleans())
    elif isinstance(value, int):
        options += [st.integers(-2, 64), st.integers()]
    elif isinstance(value, float):
        options += [st.floats(0, 4), st.integers(0, 3)]
    elif isinstance(value, tuple):
        entry = st.integers(-1, 5) | st.sampled_from([None, 0.5, "x", [1], 10**6])
        options.append(st.lists(st.integers(1, 4), min_size=len(value), max_size=len(value)))
        options.append(st.lists(entry, max_size=len(value) + 2))
    for bound in (setting.least, setting.most):
        if bound is not None:
            options.append(st.sampled_from([bound - 1, bound, bound + 1, bound + 0.01]))
    return st.one_of(options)


@pytest.mark.parametrize("name", zoo.names())
@settings(parent=examples(8))
@given(data=st.data())
def test_settings_of_the_zoo(name, data):
    """Whatever is set: analysed, or refused with a message."""
    entry = zoo.find(name)
    if not entry.parameters:
        return
    defaults = expand(entry.spec, name).metadata["parameters"]
    chosen = data.draw(
        st.lists(st.sampled_from(sorted(entry.parameters)), min_size=1, max_size=3, unique=True)
    )
    given_ = {key: data.draw(near(entry.parameters[key], defaults[key])) for key in chosen}
    start = time.process_time()
    with suppress(ArchcostError):
        assert analyze(expand(entry.spec, name, given_)).totals.params >= 0
    assert time.process_time() - start < LONGEST
