"""Expressions of the spec language: ``$width * 64``, compiled to closures over a whitelist.

Python's own parser reads the text (``ast.parse`` builds a tree and runs nothing); the tree is then
compiled node by node, and a node that is not listed here is refused. Every result is bounded, so
that no expression can eat time or memory.
"""

from __future__ import annotations

import ast
import math
import operator
import re
import warnings
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from keyword import iskeyword
from typing import Any, Final

from archcost.spec.errors import shown

MAX_TEXT: Final = 1_000
MAX_INTEGER: Final = 2**53
MAX_LIST: Final = 10_000
MAX_EXPONENT: Final = 64
MAX_DEPTH: Final = 100
MAX_ENTRIES: Final = 5_000_000

_WORD: Final = r"[A-Za-z_][A-Za-z0-9_]*"
_VARIABLE: Final = re.compile(rf"\$({_WORD})")
_TEMPLATE: Final = re.compile(rf"\$\{{([^{{}}]*)\}}|\$({_WORD})")
_NAME: Final = re.compile(rf"{_WORD}\Z")
_CONSTANTS: Final[dict[str, bool | None]] = {"true": True, "false": False, "null": None}


class ExpressionError(Exception):
    """What is wrong with an expression or its value, without its place."""


class Meter:
    """How many list entries the expressions of one network may still handle."""

    __slots__ = ("left",)

    def __init__(self) -> None:
        self.refill()

    def refill(self) -> None:
        self.left = MAX_ENTRIES

    def spend(self, entries: int) -> None:
        self.left -= entries
        if self.left < 0:
            raise ExpressionError(
                f"the expressions of one network handle at most {MAX_ENTRIES} list entries in all"
            )


class Environment(dict[str, Any]):
    """The variables that an expression sees; those made from one share its meter.

    ``made`` keeps what was made of them, by its maker: once anything is, nobody changes them.
    """

    __slots__ = ("made", "meter")

    def __init__(self, variables: Mapping[str, Any], meter: Meter | None = None) -> None:
        super().__init__(variables)
        self.meter = meter or Meter()
        self.made: dict[object, Any] = {}

    def extended(self, variables: Mapping[str, Any]) -> Environment:
        """These variables and, before them, ``variables``."""
        result = Environment(self, self.meter)
        result.update(variables)
        return result


Evaluator = Callable[[Environment], Any]


def is_variable(name: str) -> bool:
    """Whether a variable can have that name."""
    return bool(_NAME.match(name)) and name not in _CONSTANTS and not iskeyword(name)


def spelled(value: Any) -> str:
    """``value`` as a spec writes it: ``true``, ``null``, ``[1, 2]``."""
    if isinstance(value, tuple):
        return f"[{', '.join(map(spelled, value))}]"
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else str(value)


class Expression:
    """A value of a spec: a constant, or a formula over variables.

    ``names`` are the variables it reads, so that a result can be kept for as long as they keep
    their values.
    """

    __slots__ = ("_evaluate", "names", "text")

    def __init__(self, text: str, names: tuple[str, ...], evaluate: Evaluator) -> None:
        self.text = text
        self.names = names
        self._evaluate = evaluate

    def __call__(self, environment: Environment) -> Any:
        """The value. Raises ExpressionError."""
        try:
            return self._evaluate(environment)
        except ExpressionError as error:
            raise ExpressionError(
                f"{shown(self.text)}: {error}{self._given(environment)}"
            ) from None
        except ZeroDivisionError:
            raise ExpressionError(
                f"{shown(self.text)} divides by zero{self._given(environment)}"
            ) from None
        except IndexError:
            raise ExpressionError(
                f"{shown(self.text)} reads past the end of a list{self._given(environment)}"
            ) from None
        except (TypeError, ValueError, OverflowError, KeyError) as error:
            raise ExpressionError(
                f"{shown(self.text)} cannot be computed: {error}{self._given(environment)}"
            ) from None

    def _given(self, environment: Environment) -> str:
        values = ", ".join(
            f"{name} = {spelled(environment.get(name)):.40}" for name in self.names[:8]
        )
        return f" ({values})" if values else ""


def constant(value: Any) -> Expression:
    """An expression that is always ``value``."""
    return Expression(repr(value), (), lambda _: value)


def listing(items: list[Expression]) -> Expression:
    """The list of the values of ``items``, as a tuple."""
    names = tuple(dict.fromkeys(name for item in items for name in item.names))
    text = f"[{', '.join(item.text for item in items[:8])}{', ...' if len(items) > 8 else ''}]"
    return Expression(text, names, lambda env: bounded(tuple([item(env) for item in items]), env))


@lru_cache(maxsize=4096)
def formula(text: str) -> Expression:
    """Compile an expression. Raises ExpressionError for what the language does not have."""
    if len(text) > MAX_TEXT:
        raise ExpressionError(f"an expression of {len(text)} characters, at most {MAX_TEXT}")
    source = _VARIABLE.sub(r"\1", text)
    if "$" in source:
        raise ExpressionError(f"{shown(text)}: a variable is written $name")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # '\\d', 1if: Python's parser frowns, so do we
            tree = ast.parse(source.strip(), mode="eval")
        names: dict[str, None] = {}
        evaluate = _compile(tree.body, names, 0)
    except ExpressionError as error:
        raise ExpressionError(f"{shown(text)}: {error}") from None
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise ExpressionError(f"{shown(text)} is not an expression") from None
    expression = Expression(text, tuple(names), evaluate)
    return expression if names else _folded(expression)


def _folded(expression: Expression) -> Expression:
    """A formula without variables as its value, so that it is computed once."""
    try:
        value = expression(Environment({}))
    except ExpressionError:
        return expression  # says so where it is used
    return Expression(expression.text, (), lambda _: value)


@lru_cache(maxsize=4096)
def template(text: str) -> Expression:
    """Text with ``$name`` and ``${expression}`` in it. Raises ExpressionError."""
    if "$" not in text:
        return constant(text)
    if len(text) > MAX_TEXT:
        raise ExpressionError(f"a text with $ of {len(text)} characters, at most {MAX_TEXT}")
    parts: list[str | Expression] = []
    end = 0
    for match in _TEMPLATE.finditer(text):
        parts += [text[end : match.start()], formula(match[1] if match[2] is None else match[2])]
        end = match.end()
    if "$" in (tail := text[end:]) or any(isinstance(p, str) and "$" in p for p in parts):
        raise ExpressionError(f"{shown(text)}: write $name or ${{expression}}")
    parts.append(tail)
    names = tuple(
        dict.fromkeys(name for p in parts if isinstance(p, Expression) for name in p.names)
    )

    def fill(env: Environment) -> str:
        values = [part if isinstance(part, str) else part(env) for part in parts]
        env.meter.spend(_entries(values))
        return "".join(map(spelled, values))

    return Expression(text, names, fill)


def bounded(value: Any, env: Environment | None = None) -> Any:
    """``value`` itself if it is small enough. Raises ExpressionError.

    The entries of a list are taken off ``env``'s meter.
    """
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int):
        if abs(value) > MAX_INTEGER:
            raise ExpressionError("gives a number beyond 2^53")
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise ExpressionError("gives a number that is not finite")
    elif isinstance(value, tuple):
        entries = _size(value)
        if entries > MAX_LIST:
            raise ExpressionError(f"gives a list of {entries} entries, at most {MAX_LIST}")
        if env is not None:
            env.meter.spend(entries)
    elif not isinstance(value, str):
        raise ExpressionError("gives no number, text or list")
    return value


def _size(value: tuple[Any, ...], depth: int = 0) -> int:
    """Entries of a list whose inner lists are bounded already, theirs included."""
    if depth > MAX_DEPTH:
        raise ExpressionError(f"gives a list nested more than {MAX_DEPTH} levels deep")
    size = len(value)
    if size <= MAX_LIST:
        for entry in value:
            if isinstance(entry, tuple):
                size += _size(entry, depth + 1)
                if size > MAX_LIST:
                    break
    return size


def _entries(values: Iterable[Any]) -> int:
    """Entries of all lists among ``values``."""
    return sum(_size(value) for value in values if isinstance(value, tuple))


# --- the whitelist ------------------------------------------------------------------------------


def _number(value: Any) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ExpressionError(f"a number is needed, not {value!r:.40}")
    return value


def _add(a: Any, b: Any) -> Any:
    if isinstance(a, tuple) and isinstance(b, tuple):
        return a + b
    return _number(a) + _number(b)


def _divide(a: Any, b: Any) -> int | float:
    exact = isinstance(_number(a), int) and isinstance(_number(b), int) and b != 0 and a % b == 0
    return a // b if exact else a / b  # type: ignore[no-any-return]


def _power(a: Any, b: Any) -> Any:
    if abs(_number(b)) > MAX_EXPONENT:
        raise ExpressionError(f"an exponent of {b!r}, at most {MAX_EXPONENT}")
    result = _number(a) ** b
    if isinstance(result, complex):
        raise ExpressionError("gives no real number")
    return result


def _numeric(function: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    return lambda a, b: function(_number(a), _number(b))


def _contains(a: Any, b: Any) -> bool:
    if not isinstance(b, tuple):
        raise ExpressionError("'in' needs a list")
    return a in b


def _multiple(x: Any, n: Any) -> int:
    if isinstance(n, bool) or not isinstance(n, int) or n < 1:
        raise ExpressionError(f"multiple needs an integer >= 1, not {n!r:.40}")
    return math.floor(_number(x) + n / 2) // n * n


def _sum(values: Any) -> Any:
    if not isinstance(values, tuple):
        raise ExpressionError("sum needs a list")
    return sum(map(_number, values))


def _len(values: Any) -> int:
    if not isinstance(values, tuple):
        raise ExpressionError("len needs a list")
    return len(values)


def _range(*bounds: Any) -> tuple[int, ...]:
    span = range(*bounds)
    if len(span) > MAX_LIST:
        raise ExpressionError(f"a range of {len(span)} entries, at most {MAX_LIST}")
    return tuple(span)


def _extreme(function: Callable[..., Any]) -> Callable[..., Any]:
    def call(*values: Any) -> Any:
        pool = values[0] if len(values) == 1 and isinstance(values[0], tuple) else values
        return function(map(_number, pool))

    return call


_BINARY: Final[dict[type[ast.operator], Callable[[Any, Any], Any]]] = {
    ast.Add: _add,
    ast.Sub: _numeric(operator.sub),
    ast.Mult: _numeric(operator.mul),
    ast.Div: _divide,
    ast.FloorDiv: _numeric(operator.floordiv),
    ast.Mod: _numeric(operator.mod),
    ast.Pow: _power,
}
_COMPARE: Final[dict[type[ast.cmpop], Callable[[Any, Any], bool]]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: _numeric(operator.lt),
    ast.LtE: _numeric(operator.le),
    ast.Gt: _numeric(operator.gt),
    ast.GtE: _numeric(operator.ge),
    ast.In: _contains,
    ast.NotIn: lambda a, b: not _contains(a, b),
}
_UNARY: Final[dict[type[ast.unaryop], Callable[[Any], Any]]] = {
    ast.USub: lambda a: -_number(a),
    ast.UAdd: _number,
    ast.Not: operator.not_,
}
FUNCTIONS: Final[dict[str, Callable[..., Any]]] = {
    "min": _extreme(min),
    "max": _extreme(max),
    "abs": lambda x: abs(_number(x)),
    "round": lambda x: round(_number(x)),
    "floor": lambda x: math.floor(_number(x)),
    "ceil": lambda x: math.ceil(_number(x)),
    "int": lambda x: int(_number(x)),
    "sqrt": lambda x: math.sqrt(_number(x)),
    "log2": lambda x: math.log2(_number(x)),
    "len": _len,
    "sum": _sum,
    "range": _range,
    "multiple": _multiple,
}


def _compile(node: ast.expr, names: dict[str, None], depth: int) -> Evaluator:
    """A closure that evaluates ``node``; the variables it reads are added to ``names``."""
    if depth > MAX_DEPTH:
        raise ExpressionError(f"nested more than {MAX_DEPTH} levels deep")
    depth += 1
    match node:
        case ast.Constant(value=value) if isinstance(value, bool | int | float | str | None):
            bounded(value)
            return lambda _: value
        case ast.Name(id=name):
            if name in _CONSTANTS:
                fixed = _CONSTANTS[name]
                return lambda _: fixed
            names[name] = None
            return lambda env: env[name]
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
            function = _BINARY[type(op)]
            a, b = _compile(left, names, depth), _compile(right, names, depth)
            return lambda env: bounded(function(a(env), b(env)), env)
        case ast.UnaryOp(op=op_, operand=operand) if type(op_) in _UNARY:
            unary, a = _UNARY[type(op_)], _compile(operand, names, depth)
            return lambda env: unary(a(env))
        case ast.BoolOp(op=logic, values=values):
            terms = [_compile(value, names, depth) for value in values]
            stop = isinstance(logic, ast.Or)

            def boolean(env: Environment) -> Any:
                result: Any = None
                for term in terms:
                    result = term(env)
                    if bool(result) is stop:
                        break
                return result

            return boolean
        case ast.Compare(left=left, ops=ops, comparators=rights) if all(
            type(o) in _COMPARE for o in ops
        ):
            first = _compile(left, names, depth)
            chain = [
                (_COMPARE[type(o)], _compile(right, names, depth))
                for o, right in zip(ops, rights, strict=True)
            ]

            def compare(env: Environment) -> bool:
                a = first(env)
                for function, right in chain:
                    b = right(env)
                    if isinstance(b, tuple):
                        env.meter.spend(_size(b))
                    if not function(a, b):
                        return False
                    a = b
                return True

            return compare
        case ast.IfExp(test=test, body=body, orelse=orelse):
            t, x, y = (_compile(part, names, depth) for part in (test, body, orelse))
            return lambda env: x(env) if t(env) else y(env)
        case ast.List(elts=elements) | ast.Tuple(elts=elements):
            items = [_compile(element, names, depth) for element in elements]
            return lambda env: bounded(tuple([item(env) for item in items]), env)
        case ast.Subscript(value=value, slice=index) if not isinstance(index, ast.Slice):
            a, b = _compile(value, names, depth), _compile(index, names, depth)

            def pick(env: Environment) -> Any:
                sequence, position = a(env), b(env)
                if not isinstance(sequence, tuple):
                    raise ExpressionError(f"{sequence!r:.40} is no list")
                return sequence[position]

            return pick
        case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if not any(
            isinstance(arg, ast.Starred) for arg in args
        ):
            if name not in FUNCTIONS:
                raise ExpressionError(
                    f"there is no function {name!r}; there are: {', '.join(FUNCTIONS)}"
                )
            called = FUNCTIONS[name]
            inputs = [_compile(arg, names, depth) for arg in args]

            def call(env: Environment) -> Any:
                arguments = [item(env) for item in inputs]
                env.meter.spend(_entries(arguments))
                return bounded(called(*arguments), env)

            return call
        case _:
            raise ExpressionError("uses something that expressions do not have")
