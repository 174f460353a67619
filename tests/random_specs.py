"""Random specs that are valid: chains of operators, and every structure of the language.

Shapes are followed as the text is written, by the operators themselves, so that what comes
together fits; what stays open, whether archcost reads the whole of it alike, is for tests.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import prod
from typing import Any

from hypothesis import strategies as st

from archcost.ir import ArgumentError, ShapeError, TensorType
from archcost.ir.ops import make
from archcost.ir.ops.activation import FORMULAS

Item = dict[str, Any] | str
Items = list[Item]
Arguments = dict[str, Any]

MOST_ELEMENTS = 4000
LARGEST_SIZE = 9

UNARY = (
    *("exp", "expm1", "log1p", "sqrt", "reciprocal", "negative", "sin", "atan", "sinh", "erf"),
    *("floor", "ceil", "round", "sign"),
)
SCALARS = ("difference", "quotient", "floor_quotient", "remainder", "power", "minimum", "atan2")
BOOLEANS = ("not", "is_nan", "is_inf")
COMPARISONS = ("equal", "not_equal", "less", "less_equal", "greater", "greater_equal")
REDUCTIONS = ("sum", "mean", "max", "min", "prod", "l1", "l2", "logsumexp", "var", "std")
BETWEEN = ("sum", "product", "maximum", "mean", "difference", "minimum", "atan2")
RECURRENT = ("lstm", "gru", "rnn_tanh", "rnn_relu")


class SpecWriter:
    """Writes one random spec with what ``draw`` gives."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.draw = draw
        self.parameters: dict[str, Any] = {
            "width": self.number(1, 6),
            "flag": self.flag(),
            "mode": self.one_of("thin", "wide"),
            "sizes": [self.number(1, 3) for _ in range(self.number(1, 3))],
        }
        self.blocks: dict[str, Any] = {}
        self.count = 0
        self.rounds = 0  # repeats that we are in: an output is given once

    # --- draws

    def number(self, least: int, most: int) -> int:
        return self.draw(st.integers(least, most))

    def flag(self) -> bool:
        return self.draw(st.booleans())

    def one_of(self, *things: Any) -> Any:
        return self.draw(st.sampled_from(things))

    def name(self, of: str) -> str:
        self.count += 1
        return f"{of}{self.count}"

    # --- the document

    def document(self) -> dict[str, Any]:
        """The spec as plain data, with an input of 0 to 3 spatial dimensions."""
        spatial = [self.number(2, LARGEST_SIZE) for _ in range(self.number(0, 3))]
        shape = [self.number(1, 6), *spatial]
        layers, _ = self.chain(TensorType((1, *shape)), 2, 8, least=2)
        if self.flag():
            layers.append({"linear": self.written(out=self.number(1, 5))})
        result: dict[str, Any] = {"name": "random", "input": shape}
        result["parameters"] = self.parameters
        if self.blocks:
            result["blocks"] = self.blocks
        result["layers"] = layers or ["identity"]
        return result

    # --- numbers as texts

    def written(self, **arguments: Any) -> Arguments:
        """``arguments``, some integers as expressions of the same value."""
        return {key: self._expression(value) for key, value in arguments.items()}

    def _expression(self, value: Any) -> Any:
        if type(value) is not int or value < 1 or self.number(0, 3):
            return value
        width = self.parameters["width"]
        texts = [f"$width + {value - width}", f"{value} if $flag in [true, false] else 0"]
        texts += [f"max({value}, min($width, {value}))", f"{value} // $width ** 0"]
        texts += [f"int({value}.5) + 0 * len($sizes)", f"round({value}.2 + $width - $width)"]
        texts.append(f"$sizes[0] * {value} / $sizes[0]")
        texts.append(f"{value} if $mode == '{self.parameters['mode']}' else 99")
        if value % width == 0:
            texts.append(f"$width * {value // width}")
        return self.one_of(*texts)

    def condition(self) -> tuple[str, bool]:
        """A condition and whether it holds."""
        width, flag, mode = (self.parameters[key] for key in ("width", "flag", "mode"))
        return self.one_of(
            ("$flag", flag),
            ("not $flag", not flag),
            ("$width > 3", width > 3),
            ("$mode == 'wide' and $flag", mode == "wide" and flag),
            ("len($sizes) in [1, 2]", len(self.parameters["sizes"]) in (1, 2)),
        )

    # --- chains

    def chain(
        self, x: TensorType, depth: int, most: int, least: int = 0
    ) -> tuple[Items, TensorType]:
        """Items that take ``x``, and the type of what they give. ``depth`` bounds structures."""
        items: Items = []
        for _ in range(self.number(least, most)):
            if depth and not self.number(0, 2):
                added = self.structure(x, depth - 1)
            else:
                added = self.operator(x)
            if added is not None:
                items += added[0]
                x = added[1]
        return items, x

    def operator(self, x: TensorType) -> tuple[Items, TensorType] | None:
        """One operator on ``x``, if the one that was drawn takes it."""
        choices = CHOICES[min(x.rank, 6)]
        kind, arguments = self.one_of(*choices)(self, x)
        try:
            op = make(kind, **arguments)
            outputs = op.apply((x,)).outputs
        except (ShapeError, ArgumentError):
            return None
        main = outputs[0]
        if any(not usable(y, x) for y in outputs) and main.dtype == "fp32":
            return None
        item: Arguments = self.written(**arguments)
        items: Items = [{kind: item} if item or self.flag() else kind]
        if not item and type(items[0]) is dict:
            items[0] = {kind: {"name": self.name("op")}}
        if len(outputs) > 1:
            return self._joined({kind: item}, outputs)
        if main.dtype != "fp32":
            return None
        condition, holds = self.condition()
        if item and not self.number(0, 9):
            item["when"] = condition
            return items, main if holds else x
        if item and not self.number(0, 6):
            item["name"] = self.name("op")
        return items, main

    def _joined(
        self, item: dict[str, Arguments], outputs: tuple[TensorType, ...]
    ) -> tuple[Items, TensorType]:
        """The item with its outputs labelled; one of them, or some put together, goes on."""
        labels = [self.name("part") for _ in outputs]
        (arguments,) = item.values()
        arguments["as"] = labels
        first = [label for label, y in zip(labels, outputs, strict=True) if y == outputs[0]]
        if len(first) == 1 or self.flag():
            return [item, {"identity": {"from": first[-1]}}], outputs[0]
        kind = self.one_of("sum", "maximum", "product")
        return [item, {kind: {"from": [first[0], ".", first[-1]][: self.number(2, 3)]}}], outputs[0]

    def reshaped(self, x: TensorType, shape: tuple[int, ...]) -> Items:
        """Items that make ``shape`` of ``x``, with parameters if it must be."""
        if x.shape == shape:
            return []
        if x.rank == len(shape) and 3 <= x.rank <= 5:
            items: Items = []
            if x.spatial != shape[2:]:
                items.append({"adaptive_avg_pool": {"size": list(shape[2:])}})
            if x.channels != shape[1]:
                items.append({"conv": self.written(out=shape[1], kernel=1)})
            return items
        items = ["flatten", {"linear": self.written(out=prod(shape[1:]))}]
        if len(shape) > 2:
            items.append({"reshape": {"shape": list(shape[1:])}})
        return items

    # --- structures

    def structure(self, x: TensorType, depth: int) -> tuple[Items, TensorType] | None:
        return self.one_of(*STRUCTURES)(self, x, depth)  # type: ignore[no-any-return]

    def scope(self, x: TensorType, depth: int) -> tuple[Items, TensorType]:
        layers, y = self.chain(x, depth, 3)
        return [{"scope": {"name": self.name("scope"), "layers": layers}}], y

    def repeat(self, x: TensorType, depth: int) -> tuple[Items, TensorType]:
        self.rounds += 1
        layers, y = self.chain(x, depth, 3)
        self.rounds -= 1
        layers += self.reshaped(y, x.shape)
        arguments: Arguments = {"layers": layers}
        if self.flag():
            arguments |= {"times": self._expression(self.number(1, 3)), "index": "i"}
            if 3 <= x.rank <= 5:
                layers += [{"conv": "$i"}, {"conv": {"out": f"{x.channels} if $i else 0"}}]
            if self.flag():
                arguments["name"] = self.name("round") + self.one_of("_$i", "_${2 * $i}")
        else:
            arguments["each"] = {"i": [1, "x"], "j": [2.5, True]} if self.flag() else {"i": [3]}
        return [{"repeat": arguments}], x

    def growing(self, x: TensorType, depth: int) -> tuple[Items, TensorType] | None:
        """Rounds of other widths each."""
        widths = [self.number(1, 5) for _ in range(self.number(1, 3))]
        if 3 <= x.rank <= 5:
            layer, shape = {"conv": "$w"}, (x.shape[0], widths[-1], *x.spatial)
        else:
            layer, shape = {"linear": "$w"}, (x.shape[0], widths[-1])
        each = {"w": widths}
        return [{"repeat": {"each": each, "layers": [layer, "relu"]}}], x.with_shape(shape)

    def parallel(self, x: TensorType, depth: int) -> tuple[Items, TensorType]:
        first, y = self.chain(x, depth, 2)
        branches = [first]
        for _ in range(self.number(1, 2)):
            layers, z = self.chain(x, depth, 2)
            branches.append([*layers, *self.reshaped(z, y.shape)])
        merge = self.one_of("concat", "sum", "mean", "product", "maximum")
        if merge == "concat":
            shape = list(y.shape)
            shape[1] *= len(branches)
            y = y.with_shape(tuple(shape))
        arguments: Arguments = {"merge": merge, "branches": branches}
        if self.flag():
            arguments["branches"] = {self.name("b"): layers for layers in branches}
        if self.flag():
            arguments["name"] = self.name("parallel")
        return [{"parallel": arguments}], y

    def residual(self, x: TensorType, depth: int) -> tuple[Items, TensorType]:
        layers, y = self.chain(x, depth, 3)
        if self.flag():
            layers += self.reshaped(y, x.shape)
            return [{"residual": {"layers": layers}}], x
        shortcut, z = self.chain(x, 0, 1)
        shortcut += self.reshaped(z, y.shape)
        arguments = {"layers": layers, "shortcut": shortcut}
        arguments["merge"] = self.one_of("sum", "maximum")
        return [{"residual": arguments}], y

    def dense(self, x: TensorType, depth: int) -> tuple[Items, TensorType] | None:
        if not 3 <= x.rank <= 5:
            return None
        times, growth = self.number(1, 3), self.number(1, 3)
        layers: Items = [
            self.one_of("batch_norm", "relu", "dropout", {"scope": {"name": "", "layers": []}})
        ]
        layers.append({"conv": self.written(out=growth, kernel=3, padding=1)})
        shape = (x.shape[0], x.channels + times * growth, *x.spatial)
        return [{"dense": {"times": times, "layers": layers}}], x.with_shape(shape)

    def choice(self, x: TensorType, depth: int) -> tuple[Items, TensorType]:
        condition, holds = self.condition()
        first, y = self.chain(x, depth, 2)
        second, z = self.chain(x, depth, 2)
        return [{"if": condition, "then": first, "else": second}], y if holds else z

    def head(self, x: TensorType, depth: int) -> tuple[Items, TensorType] | None:
        if self.rounds:
            return None
        if self.flag():
            return [{"graph_output": {"name": self.name("out")}}], x
        layers, _ = self.chain(x, depth, 2)
        return [{"head": {"name": self.name("head"), "layers": [*layers, "identity"]}}], x

    def block(self, x: TensorType, depth: int) -> tuple[Items, TensorType] | None:
        """A block of its own, used once or twice."""
        if x.rank > 5:
            return None
        wide = x.rank >= 3
        kind = "conv" if wide else "linear"
        name = self.name("block")
        self.blocks[name] = {
            "parameters": {"out": None, "more": self.one_of("$out", 2), "act": "relu"},
            "layers": [
                {kind: {"out": "$out + $more"}},
                {"if": "$act == 'relu'", "then": ["relu"], "else": ["tanh"]},
                {kind: {"name": "last", "out": "$out"}},
            ],
        }
        out = self.number(1, 4)
        shape = (x.shape[0], out, *x.spatial) if wide else (x.shape[0], out)
        uses = [
            {name: {**self.written(out=out), **({"act": "tanh"} if self.flag() else {})}}
            for _ in range(self.number(1, 2))
        ]
        return [*uses], x.with_shape(shape)

    def between(self, x: TensorType, depth: int) -> tuple[Items, TensorType] | None:
        """A value labelled, and put together with what became of it."""
        label = self.name("label")
        layers, y = self.chain(x, depth, 2)
        layers += self.reshaped(y, x.shape)
        start: Item = {"identity": {"as": label}}
        inputs = [label, "."] if self.flag() else [".", label]
        kind = self.one_of(*BETWEEN, "matmul", "attention", "concat")
        arguments: Arguments = {"from": inputs}
        y = x
        if kind == "matmul":
            if x.rank == 2:
                return None
            arguments["transpose_b"] = True
            y = x.with_shape((*x.shape[:-1], x.shape[-2]))
        elif kind == "attention":
            if x.rank == 2:
                return None
            arguments = {"from": [*inputs, label], "causal": self.flag()}
        elif kind == "concat":
            dim = self.number(1, x.rank - 1)
            shape = list(x.shape)
            shape[dim] *= 2
            arguments["dim"] = dim - x.rank if self.flag() else dim
            y = x.with_shape(tuple(shape))
        return [start, *layers, {kind: arguments}], y

    def shared(self, x: TensorType, depth: int) -> tuple[Items, TensorType] | None:
        """One layer's parameters used twice."""
        if 3 <= x.rank <= 5:
            item = {"conv": {"out": x.channels, "kernel": 3, "padding": 1, "share": self.name("k")}}
        elif x.rank == 2:
            item = {"linear": {"out": x.channels, "share": self.name("k")}}
        else:
            return None
        if self.flag():
            return [item, "relu", item], x
        return [{"repeat": {"times": 2, "layers": [item]}}], x


STRUCTURES: list[Callable[[SpecWriter, TensorType, int], tuple[Items, TensorType] | None]] = [
    SpecWriter.scope,
    SpecWriter.repeat,
    SpecWriter.growing,
    SpecWriter.parallel,
    SpecWriter.residual,
    SpecWriter.dense,
    SpecWriter.choice,
    SpecWriter.head,
    SpecWriter.block,
    SpecWriter.between,
    SpecWriter.shared,
]


def usable(y: TensorType, x: TensorType) -> bool:
    """Whether a chain goes on with ``y``: samples stay apart, and it is no giant."""
    return 2 <= y.rank <= 6 and y.shape[0] == x.shape[0] and y.numel <= MOST_ELEMENTS


# --- operators ------------------------------------------------------------------------------------

Choice = Callable[[SpecWriter, TensorType], tuple[str, Arguments]]


def per_dimension(w: SpecWriter, x: TensorType, least: int, most: int) -> Any:
    """One number, or one for each spatial dimension."""
    if w.flag():
        return w.number(least, most)
    return [w.number(least, most) for _ in x.spatial]


def padding(w: SpecWriter, x: TensorType, most: int) -> Any:
    kind = w.number(0, 3)
    if kind == 0:
        return [[w.number(0, most), w.number(0, most)] for _ in x.spatial]
    return "same" if kind == 1 else per_dimension(w, x, 0, most)


def divisor(w: SpecWriter, n: int) -> int:
    return int(w.one_of(*[d for d in range(1, n + 1) if n % d == 0]))


def window(w: SpecWriter, x: TensorType) -> Arguments:
    return {
        "kernel": per_dimension(w, x, 1, 3),
        "stride": per_dimension(w, x, 1, 3),
        "padding": padding(w, x, 2),
    }


def conv(w: SpecWriter, x: TensorType) -> tuple[str, Arguments]:
    groups = divisor(w, x.channels)
    arguments = window(w, x) | {"out": groups * w.number(1, 3), "groups": groups}
    arguments |= {"dilation": per_dimension(w, x, 1, 2), "bias": w.flag()}
    if w.flag():
        arguments["rounding"] = w.one_of("floor", "ceil")
    return "conv", arguments


def table_conv(w: SpecWriter, x: TensorType) -> tuple[str, Arguments]:
    seen = st.lists(st.integers(0, x.channels - 1), min_size=1, unique=True).map(sorted)
    rows = w.draw(st.lists(seen, min_size=1, max_size=3))
    return "conv", {"out": len(rows), "kernel": w.number(1, 3), "connections": rows}


def depthwise(w: SpecWriter, x: TensorType) -> tuple[str, Arguments]:
    arguments = window(w, x) | {"multiplier": w.number(1, 2), "bias": w.flag()}
    return "depthwise_conv", arguments | {"dilation": w.number(1, 2)}


def local(w: SpecWriter, x: TensorType) -> tuple[str, Arguments]:
    return "local_conv", window(w, x) | {"out": w.number(1, 3), "bias": w.flag()}


def transposed(w: SpecWriter, x: TensorType) -> tuple[str, Arguments]:
    groups = divisor(w, x.channels)
    arguments = {"out": groups * w.number(1, 2), "groups": groups, "kernel": w.number(1, 3)}
    stride = w.number(1, 3)
    arguments |= {"stride": stride, "output_padding": w.number(0, stride - 1)}
    return "conv_transpose", arguments | {"padding": w.number(0, 1), "bias": w.flag()}


def pool(w: SpecWriter, x: TensorType) -> tuple[str, Arguments]:
    kind = w.one_of("max_pool", "avg_pool", "sum_pool")
    arguments = window(w, x) | {"rounding": w.one_of("floor", "ceil")}
    if kind == "max_pool":
        arguments |= {"dilation": w.number(1, 2), "indices": not w.number(0, 4)}
    if kind == "avg_pool":
        arguments["count_padding"] = w.flag()
    return kind, arguments


def other_pool(w: SpecWriter, x: TensorType) -> tuple[str, Arguments]:
    kind = w.one_of("lp_pool", "global_max_pool", "global_avg_pool", "adaptive_max_pool",
                    "adaptive_avg_pool", "fractional_max_pool")  # fmt: skip
    if kind == "lp_pool":
        return kind, {"norm": w.number(1, 3), "kernel": w.number(1, 3), "stride": w.number(1, 2)}
    if kind == "fractional_max_pool":
        if x.rank == 5:  # torch refuses some that are right
            return "global_max_pool", {}
        return kind, {"kernel": 2, "size": per_dimension(w, x, 1, 3)}
    return kind, {"size": per_dimension(w, x, 1, 4)} if kind.startswith("adaptive") else {}


def norm(w: SpecWriter, x: TensorType) -> tuple[str, Arguments]:
    # torch takes no statistics of a single element.
    several = [] if set(x.spatial) == {1} else ["group_norm", "instance_norm"]
    kind = w.one_of("batch_norm", "lrn", "scale_shift", *several)
    if kind == "group_norm":
        return kind, {"groups": divisor(w, x.channels), "affine": w.flag()}
    if kind == "lrn":
        return kind, {"size": w.number(1, 5), "region": w.one_of("across", "within")}
    if kind == "scale_shift":
        return kind, {"per": w.one_of("channel", "element"), "bias": w.flag()}
    return kind, {"affine": w.flag(), "track": kind == "batch_norm" or w.flag()}


def spatial(w: SpecWriter, x: TensorType) -> tuple[str, Arguments]:
    kind = w.one_of("pad", "crop", "upsample", "pixel_shuffle", "channel_shuffle", "unfold")
    if kind == "pad":
        arguments: Arguments = {"padding": padding(w, x, 2)}
        if arguments["padding"] == "same":
            arguments["padding"] = 1
        return kind, arguments | {"mode": w.one_of("constant", "reflect", "replicate")}
    if kind == "crop":
        return kind, {"size": [w.number(1, n) for n in x.spatial]}
    if kind == "upsample":
        mode = w.one_of("nearest", "bilinear", *(["bicubic"] if x.rank == 4 else []))
        size = w.one_of("scale", "size")
        return kind, {size: w.number(1, 3), "mode": mode}
    if kind == "pixel_shuffle":
        return kind, {"factor": w.number(1, 2), "inverse": w.flag()}
    if kind == "unfold":
        return kind, {"kernel": w.number(1, 3), "stride": w.number(1, 2), "padding": w.number(0, 1)}
    return kind, {"groups": divisor(w, x.channels)}


def function(w: SpecWriter, x: TensorType) -> tuple[str, Arguments]:
    return w.one_of(*FORMULAS, *UNARY, "prelu", "identity", "copy"), {}


def linear(w: SpecWriter, x: TensorType) -> tuple[str, Arguments]:
    return "linear", {"out": w.number(1, 6), "bias": w.flag(), "flatten": w.flag()}


def simple(w: SpecWriter, x: TensorType) -> tuple[str, Arguments]:
    kind = w.one_of(
        *("softmax", "log_softmax", "rescale", "clamp", "dropout", "drop_path", "layer_norm"),
        *("rms_norm", "maxout", "rbf"),
    )
    if kind.endswith("softmax"):
        return kind, {"dim": dim(w, x)}
    if kind == "rescale":
        return kind, {"scale": w.one_of(2, 0.5, -1), "shift": w.one_of(0, 1.5)}
    if kind == "clamp":
        return kind, {"low": w.one_of(-1, 0.5), "high": w.one_of(None, 6)}
    if kind.startswith("drop"):
        return kind, {"rate": w.one_of(0, 0.5)}
    if kind.endswith("norm"):
        return kind, {"dims": w.number(1, x.rank - 1), "affine": w.flag()}
    if kind == "maxout":
        return kind, {"pieces": divisor(w, x.channels)}
    return kind, {"out": w.number(1, 4), "trainable": w.flag()}


def dim(w: SpecWriter, x: TensorType) -> int:
    """A dimension that is not the batch's, from either end."""
    index = w.number(1, x.rank - 1)
    return index - x.rank if w.flag() else index


def movement(w: SpecWriter, x: TensorType) -> tuple[str, Arguments]:
    kind = w.one_of(
        *("slice", "split", "permute", "flatten", "reshape", "squeeze", "unsqueeze", "select"),
        *("roll", "flip", "repeat_interleave", "windows", "triangle", "pad_all", "expand"),
    )
    at = dim(w, x)
    size = x.shape[at]
    match kind:
        case "slice":
            start = w.number(0, size - 1)
            return kind, {"dim": at, "start": start, "step": w.number(1, 3)}
        case "split":
            if w.flag():
                return kind, {"parts": divisor(w, size), "dim": at}
            first = w.number(1, size)
            return kind, {"sizes": [first, size - first][: 1 + (first < size)], "dim": at}
        case "permute":
            order = w.draw(st.permutations(range(1, x.rank)))
            return kind, {"dims": [0, *order]}
        case "flatten":
            start = w.number(1, x.rank - 1)
            return kind, {"start": start, "end": w.number(start, x.rank - 1)}
        case "reshape":
            first = divisor(w, prod(x.shape[1:]))
            return kind, {"shape": w.one_of([first, -1], [-1, first, 1], [-1])}
        case "squeeze":
            return kind, {"dims": [at]}
        case "unsqueeze":
            return kind, {"dim": w.number(1, x.rank)}
        case "select":
            return kind, {"dim": at, "index": w.number(-size, size - 1)}
        case "roll":
            return kind, {"shifts": [w.number(-3, 3)], "dims": [at]}
        case "flip":
            return kind, {"dims": [at]}
        case "repeat_interleave":
            return kind, {"count": w.number(1, 3), "dim": at}
        case "windows":
            return kind, {"dim": at, "size": w.number(1, size), "step": w.number(1, 3)}
        case "triangle":
            return kind, {"upper": w.flag(), "diagonal": w.number(-2, 2)}
        case "pad_all":
            pads = [w.number(0, 2) if n % x.rank else 0 for n in range(2 * x.rank)]
            return kind, {"pads": pads, "value": w.one_of(0, 1.5)}
        case _:
            return kind, {"shape": [-1, *[w.number(1, 3) if n == 1 else n for n in x.shape[1:]]]}


def calculation(w: SpecWriter, x: TensorType) -> tuple[str, Arguments]:
    kind = w.one_of("scalar", "reduce", "cumulative", "sort", "top_k")
    if kind == "scalar":
        return w.one_of(*SCALARS), {"scalar": w.one_of(2, 0.5), "reverse": w.flag()}
    if kind == "reduce":
        return f"reduce_{w.one_of(*REDUCTIONS)}", {"dims": [dim(w, x)], "keep": w.flag()}
    if kind == "cumulative":
        return w.one_of("cumsum", "cumprod", "cummax", "cummin"), {"dim": dim(w, x)}
    at = dim(w, x)
    if kind == "sort":
        return kind, {"dim": at, "descending": w.flag()}
    return kind, {"k": w.number(1, x.shape[at]), "dim": at}


def recurrent(w: SpecWriter, x: TensorType) -> tuple[str, Arguments]:
    kind = w.one_of(*RECURRENT)
    arguments = {"hidden": w.number(2, 4), "layers": w.number(1, 2), "bidirectional": w.flag()}
    arguments["bias"] = w.flag()
    if kind == "lstm" and w.flag():
        arguments["projection"] = 1
    return kind, arguments


ANYWHERE: list[Choice] = [function, linear, simple, movement, calculation]
IN_SPACE: list[Choice] = [conv, conv, table_conv, depthwise, local, transposed, pool, other_pool]
IN_SPACE += [norm, spatial]
CHOICES: dict[int, list[Choice]] = {
    rank: [
        *ANYWHERE,
        *(IN_SPACE if 3 <= rank <= 5 else []),
        *([recurrent] * 3 if rank == 3 else []),
    ]
    for rank in range(2, 7)
}


@st.composite
def random_specs(draw: st.DrawFn) -> dict[str, Any]:
    """A spec as plain data, ready to be written as YAML."""
    return SpecWriter(draw).document()


def operators_of(items: Any) -> Iterator[str]:
    """The keys of all items, for statistics."""
    if isinstance(items, str):
        yield items
    elif isinstance(items, list):
        for item in items:
            yield from operators_of(item)
    elif isinstance(items, dict):
        for key, value in items.items():
            yield key
            if isinstance(value, dict | list):
                yield from operators_of(value)
