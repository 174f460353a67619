"""Expressions: what they give is what Python gives, and they can do nothing else."""

from __future__ import annotations

import math
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archcost.spec.expression import (
    MAX_ENTRIES,
    MAX_INTEGER,
    Environment,
    ExpressionError,
    formula,
    template,
)

VARIABLES = {"a": 3, "b": -2, "c": 0, "f": 0.5, "n": (1, 2, 3)}


def value(text, **variables):
    return formula(text)(Environment(variables))


def refused(text, **variables):
    with pytest.raises(ExpressionError) as caught:
        value(text, **variables)
    assert len(str(caught.value)) < 600
    return str(caught.value)


# --- the same as Python -------------------------------------------------------------------------


numbers = st.one_of(
    st.integers(-20, 1000).map(lambda n: f"({n})"),
    st.floats(-100, 100, allow_nan=False).map(lambda x: f"({x!r})"),
    st.sampled_from(["$a", "$b", "$c", "$f"]),
)


def larger(inner):
    two = st.tuples(inner, inner)
    three = st.tuples(inner, inner, inner)
    lists = st.lists(inner, min_size=1, max_size=4).map(", ".join)
    return st.one_of(
        st.tuples(inner, st.sampled_from(["+", "-", "*", "//", "%"]), inner).map(
            lambda t: f"({t[0]} {t[1]} {t[2]})"
        ),
        st.tuples(inner, st.integers(0, 5)).map(lambda t: f"({t[0]} ** {t[1]})"),
        inner.map(lambda x: f"(-{x})"),
        three.map(lambda t: f"({t[0]} if {t[1]} < {t[2]} else {t[1]})"),
        three.map(lambda t: f"({t[0]} if not {t[1]} == {t[2]} or {t[0]} > 1 else {t[2]})"),
        three.map(lambda t: f"({t[0]} and {t[1]} or {t[2]})"),
        st.tuples(st.sampled_from(["abs", "round", "floor", "ceil", "int"]), inner).map(
            lambda t: f"{t[0]}({t[1]})"
        ),
        two.map(lambda t: f"min({t[0]}, {t[1]})"),
        lists.map(lambda t: f"max([{t}])"),
        lists.map(lambda t: f"sum([{t}])"),
        lists.map(lambda t: f"[{t}][0]"),
        two.map(lambda t: f"(2 if {t[0]} in [{t[1]}, 1] else 3)"),
        st.tuples(inner, st.integers(0, 9)).map(lambda t: f"($n + [{t[0]}])[{t[1]} % 4]"),
    )


GROUNDS = ("divides by zero", "2^53", "not finite", "Result too large", "characters", "levels")


@settings(max_examples=300)
@given(st.recursive(numbers, larger, max_leaves=12))
def test_as_python(text):
    refusal = found = None
    try:
        found = formula(text)(Environment(VARIABLES))
    except ExpressionError as error:
        refusal = str(error)
    if refusal is not None:
        assert any(ground in refusal for ground in GROUNDS)
        return
    names = {"floor": math.floor, "ceil": math.ceil, **VARIABLES}
    expected = eval(text.replace("$n", "[1, 2, 3]").replace("$", ""), names)
    assert found == expected
    assert type(found) is type(expected)


@given(st.integers(-1000, 1000), st.integers(-50, 50).filter(bool))
def test_exact_division(a, b):
    found = value("$a / $b", a=a, b=b)
    assert found == a / b
    assert isinstance(found, int) is (a % b == 0)


@given(st.floats(-1000, 1000) | st.integers(-1000, 1000), st.integers(1, 64))
def test_multiple(x, n):
    found = value("multiple($x, $n)", x=x, n=n)
    assert found % n == 0
    assert abs(found - x) <= n / 2


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("multiple(12, 8)", 16),  # halves up, as MobileNet's _make_divisible
        ("range(3)", (0, 1, 2)),
        ("range(2, 8, 3)", (2, 5)),
        ("[1, 2] + [3]", (1, 2, 3)),
        ("len(range(10000))", 10000),
        ("[[1, 2], [3]][1][0]", 3),
        ("'a' == 'a' and true", True),
        ("null", None),
        ("not true", False),
        ("sqrt(16)", 4.0),
        ("log2(8)", 3.0),
        ("7 // 2 * 2 ** 3 % 5", 4),
        ("1 < 2 < 3", True),
        ("'x' not in ['y']", True),
        (" 1 ", 1),
    ],
)
def test_values(text, expected):
    assert value(text) == expected
    assert type(value(text)) is type(expected)


# --- nothing else -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    """
    __import__('os').system('ls')
    __import__('os')
    $a.real
    $a.__class__
    ().__class__.__bases__
    'x'.join([1])
    '%s' % 1
    'a' + 'b'
    'a' * 1000
    [1] * 1000
    f'{1}'
    lambda: 1
    (lambda: 1)()
    [x for x in [1]]
    {x for x in [1]}
    sum(x for x in [1])
    {1: 2}
    {1}
    max(*[1])
    max([1], key=abs)
    ($a := 1)
    $n[0:1]
    $n[:]
    eval('1')
    exec('1')
    open('/etc/passwd')
    print(1)
    getattr(1, 'real')
    globals()
    min.__call__(1)
    max(1)(2)
    min
    1j
    b'x'
    ...
    ~1
    1 << 100
    1 & 1
    1 | 1
    1 @ 1
    1 is 1
    await x
    yield 1
    import os
    1; 2
    '\\d'
    1if 1else 2
    $
    $1
    ${a}
    $a $b
    ()()
    """.strip().splitlines(),
)
def test_refused(text):
    refused(text.strip(), **VARIABLES)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1 / 0", "divides by zero"),
        ("1 // $c", "divides by zero (c = 0)"),
        ("1 % 0", "divides by zero"),
        ("0 ** -1", "divides by zero"),
        ("(-1) ** 0.5", "gives no real number"),
        ("2 ** 53 + 1", "beyond 2^53"),
        ("2 ** 65", "an exponent of 65, at most 64"),
        ("2 ** 2 ** 2 ** 64", "2^53"),
        ("9**9**9", "exponent"),
        ("2.0 ** 64 ** 2", "an exponent of 4096"),
        ("1e308 * 10", "not finite"),
        ("1e999", "not finite"),
        ("9007199254740993", "beyond 2^53"),
        ("range(10**9)", "a range of 1000000000 entries"),
        ("range(10001)", "at most 10000"),
        ("range(9999) + [1, 2]", "a list of 10001 entries"),
        ("range(1, 2, 0)", "cannot be computed"),
        ("multiple(3, 0)", "an integer >= 1"),
        ("multiple(3, 0.5)", "an integer >= 1"),
        ("true + 1", "a number is needed, not True"),
        ("true / true", "a number is needed"),
        ("'a' < 'b'", "a number is needed"),
        ("[1][1]", "reads past the end of a list"),
        ("1[0]", "is no list"),
        ("1 in 2", "'in' needs a list"),
        ("sum(3)", "sum needs a list"),
        ("len('abc')", "len needs a list"),
        ("min()", "cannot be computed"),
        ("min([])", "cannot be computed"),
        ("log2(0)", "cannot be computed"),
        ("sqrt(0 - 1)", "cannot be computed"),
        ("pow(2, 3)", "there is no function 'pow'; there are: min, max"),
        ("abs(1, 2)", "cannot be computed"),
        ("1 +", "is not an expression"),
        ("$a.b", "uses something that expressions do not have"),
        ("1 " * 501, "an expression of 1002 characters, at most 1000"),
        ("(" * 450 + "1" + ")" * 450, "is not an expression"),
        ("-" * 900 + "$a", "nested more than 100 levels"),
        ("[" * 150 + "$a" + "]" * 150, "nested more than 100 levels"),
        ("$a" + "+1" * 450, "nested more than 100 levels"),
        ("abs(" * 150 + "$a" + ")" * 150, "nested more than 100 levels"),
        ("not " * 200 + "$a", "nested more than 100 levels"),
    ],
)
def test_messages(text, message):
    assert message in refused(text, **VARIABLES)


@settings(max_examples=300)
@given(
    st.text("$ab019.,+-*/%()[]<>='\"{} \\\n:#@!~^&|_", max_size=30)
    | st.lists(
        st.sampled_from([*"1+-%()[],", "$a", "$n", "2.5", "'x'", "**", "//", "in", "not", "if"]),
        max_size=14,
    ).map(" ".join)
    | st.text(max_size=20)
)
def test_any_text_gives_a_value_or_is_refused(text):
    for compiler in (formula, template):
        try:
            expression = compiler(text)
        except ExpressionError:
            continue
        if set(expression.names) <= VARIABLES.keys():
            try:
                found = expression(Environment(VARIABLES))
            except ExpressionError:
                continue
            assert isinstance(found, bool | int | float | str | tuple | None)
            assert not isinstance(found, int) or abs(found) <= MAX_INTEGER


# --- texts --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("", ""),
        ("conv$a", "conv3"),
        ("a${$a + 1}_x", "a4_x"),
        ("$a$b", "3-2"),
        ("$t $u $n $f", "true null [1, 2, 3] 0.5"),
        ("{x}", "{x}"),
    ],
)
def test_template(text, expected):
    assert template(text)(Environment({**VARIABLES, "t": True, "u": None})) == expected


@pytest.mark.parametrize("text", ["$", "a$", "${", "${}", "$(a)", "${$a", "$$a", "${a.b}", "$é"])
def test_template_refuses(text):
    with pytest.raises(ExpressionError):
        template(text)


def test_long_templates_are_refused():
    with pytest.raises(ExpressionError, match="at most 1000"):
        template("$a" * 501)
    assert template("a" * 5000)(Environment({})) == "a" * 5000


# --- bounds -------------------------------------------------------------------------------------


def test_lists_of_lists_are_counted_whole():
    environment = Environment({"l": tuple(range(100))})
    nested = formula("[" + ", ".join(["$l"] * 90) + "]")(environment)
    assert len(nested) == 90
    environment["m"] = nested
    with pytest.raises(ExpressionError, match="at most 10000"):
        formula("[$m, $m]")(environment)


def test_the_work_of_all_expressions_together_is_bounded():
    environment = Environment({"n": 9999})
    heavy = formula("sum(range($n))")
    start = time.process_time()
    with pytest.raises(ExpressionError, match="list entries in all"):
        [heavy(environment.extended({})) for _ in range(MAX_ENTRIES)]
    assert time.process_time() - start < 10


def test_a_formula_without_variables_is_computed_once():
    environment = Environment({})
    left = environment.meter.left
    for _ in range(10_000):
        assert formula("sum(range(9999))")(environment) == 49985001
    assert environment.meter.left == left
