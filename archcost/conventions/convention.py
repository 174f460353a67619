"""What a counting convention is: rules by operator, and the count that they give of a graph.

A convention is one module: its docstring tells what is counted, what is not and what is peculiar;
:class:`Convention` names where that was read; small functions, registered under the operators that
they speak of, give the numbers::

    FVCORE = Convention("fvcore", quantities=("macs",), about=__doc__, source="...", read="...")

    FVCORE.rule("conv", "linear")(plain_macs)

    @FVCORE.rule("batch_norm", why=counted_as(2))
    def batch_norm(node: Node) -> Amounts:
        return {"macs": 2 * node.outputs[0].type.numel}

Every amount that is not ``mult-adds``' own has the reason of its rule, so that the whole difference
from ``mult-adds`` is split by reason without a remainder.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import Final, NamedTuple

from archcost.ir import Graph, Node, Parameter

Amounts = Mapping[str, int]
"""quantity -> how much a rule counts of it"""
NodeRule = Callable[[Node], Amounts]
NodesRule = Callable[[Sequence[Node]], Amounts]
GraphRule = Callable[[Graph], Amounts]
Why = str | Callable[[Node], str]
"""a reason, or how a node gives it"""


def plain_macs(node: Node) -> Amounts:
    """The rule of ``mult-adds``: the node's multiply-accumulates, without bias."""
    return {"macs": node.application.macs}


def distinct(parameters: Iterable[Parameter]) -> Amounts:
    """``params``: the elements of these parameters, a shared one once."""
    return {"params": sum(parameter.numel for parameter in dict.fromkeys(parameters))}


def unique_params(nodes: Sequence[Node]) -> Amounts:
    """Trainable parameters, a shared one once."""
    return distinct(p for node in nodes for p in node.parameters if p.trainable)


def unread_params(graph: Graph) -> Amounts:
    """Trainable parameters that the graph stores and no node uses."""
    return {"params": sum(p.numel for p in graph.unread if p.trainable)}


def counts_all_params(convention: Convention) -> None:
    """Let ``convention`` count every trainable parameter once, those that no layer reads too."""
    convention.over_nodes(unique_params)
    convention.over_graph("parameters that no layer reads")(unread_params)


_WORDS: Final = {
    "abs": "absolute values",
    "acos": "arc cosines",
    "acosh": "inverse hyperbolic cosines",
    "and": "logic",
    "asin": "arc sines",
    "asinh": "inverse hyperbolic sines",
    "atan": "arc tangents",
    "atan2": "arc tangents",
    "atanh": "inverse hyperbolic tangents",
    "avg": "average",
    "cast": "casts",
    "ceil": "rounding",
    "celu": "CELU",
    "clamp": "clamping",
    "conv": "convolutions",
    "conv_transpose": "transposed convolutions",
    "cos": "cosines",
    "cosh": "hyperbolic cosines",
    "cummax": "running maxima",
    "cummin": "running minima",
    "cumprod": "running products",
    "cumsum": "running sums",
    "deform_conv": "deformable convolutions",
    "difference": "differences",
    "dynamic_conv": "convolutions with computed weights",
    "dynamic_conv_transpose": "transposed convolutions with computed weights",
    "elu": "ELU",
    "embedding_bag": "bags of embeddings",
    "equal": "comparisons",
    "erf": "error functions",
    "exp": "exponentials",
    "exp2": "exponentials",
    "expm1": "exponentials",
    "floor": "rounding",
    "floor_quotient": "whole quotients",
    "fold": "folding of columns",
    "gather": "gathering",
    "gelu": "GELU",
    "gelu_tanh": "GELU",
    "greater": "comparisons",
    "greater_equal": "comparisons",
    "grid_sample": "grid sampling",
    "grouped_matmul": "grouped matrix products",
    "gru": "GRU layers",
    "index": "indexing",
    "index_put": "assignments at indices",
    "index_select": "indexing",
    "is_inf": "tests of numbers",
    "is_nan": "tests of numbers",
    "less": "comparisons",
    "less_equal": "comparisons",
    "linear": "linear layers",
    "local_conv": "locally connected layers",
    "log": "logarithms",
    "log1p": "logarithms",
    "log2": "logarithms",
    "log_sigmoid": "log-sigmoid",
    "log_softmax": "log-softmax",
    "lp": "Lp",
    "lrn": "local response normalisation",
    "lstm": "LSTM layers",
    "masked_fill": "masked filling",
    "matmul": "matrix products",
    "maximum": "maxima",
    "mean": "means",
    "minimum": "minima",
    "negative": "sign changes",
    "nonzero": "places of true elements",
    "norm": "normalisation",
    "not": "logic",
    "not_equal": "comparisons",
    "or": "logic",
    "pool": "pooling",
    "power": "powers",
    "prelu": "PReLU",
    "product": "products",
    "quotient": "quotients",
    "rbf": "radial basis layers",
    "reciprocal": "reciprocals",
    "reduce_all": "logic over dimensions",
    "reduce_any": "logic over dimensions",
    "reduce_argmax": "places of maxima",
    "reduce_argmin": "places of minima",
    "reduce_l1": "norms over dimensions",
    "reduce_l2": "norms over dimensions",
    "reduce_logsumexp": "log-sum-exp",
    "reduce_max": "maxima over dimensions",
    "reduce_mean": "means over dimensions",
    "reduce_min": "minima over dimensions",
    "reduce_prod": "products over dimensions",
    "reduce_std": "standard deviations over dimensions",
    "reduce_sum": "sums over dimensions",
    "reduce_var": "variances over dimensions",
    "relu": "ReLU",
    "relu6": "ReLU6",
    "remainder": "remainders",
    "rescale": "constant factors",
    "rms_norm": "root mean square normalisation",
    "rnn_relu": "recurrent layers",
    "rnn_tanh": "recurrent layers",
    "roi_align": "regions of interest",
    "round": "rounding",
    "rsqrt": "reciprocal square roots",
    "scale_shift": "scale and shift",
    "scatter": "scattering",
    "selu": "SELU",
    "sign": "signs",
    "silu": "SiLU",
    "sin": "sines",
    "sinh": "hyperbolic sines",
    "solve_triangular": "triangular systems",
    "sort": "sorting",
    "sqrt": "square roots",
    "sum": "sums",
    "sum_pool": "sum pooling",
    "tan": "tangents",
    "top_k": "top-k selection",
    "trunc": "rounding",
    "upsample": "upsampling",
    "where": "choices",
    "xor": "logic",
}
"""a kind of operator, or a part of its name -> what the field calls it, where that is otherwise"""


@cache
def in_words(kind: str) -> str:
    """A kind of operator as a sentence names it: ``batch normalisation`` for ``batch_norm``."""
    if "::" in kind:  # a name of somebody else's
        return kind
    return _WORDS.get(kind) or " ".join(_WORDS.get(part, part) for part in kind.split("_"))


def counted_as(amount: int | str | Callable[[Node], int], per: str = "element") -> Why:
    """The reason "batch normalisation counted as 2 per element", for nodes of any kind.

    ``amount`` is the number, a formula of it, or how a node gives it.
    """

    def why(node: Node) -> str:
        number = amount(node) if callable(amount) else amount
        return f"{in_words(node.op.kind)} counted as {number} per {per}"

    return why


class Reason(NamedTuple):
    """Why a convention's number differs from ``mult-adds``', and by how much."""

    why: str
    amount: int


class Count(NamedTuple):
    """A graph's numbers under a convention.

    ``reasons`` add up to the main number's difference from ``mult-adds``; those of the largest
    amount come first. ``ignored`` names the kinds of operators of the graph that compute
    something and that the convention has no rule for, and those that nobody knows.
    """

    convention: Convention
    numbers: dict[str, int]
    reasons: tuple[Reason, ...]
    ignored: tuple[str, ...]

    @property
    def main(self) -> int:
        """The number that is compared with ``mult-adds``."""
        return self.numbers[self.convention.main]


class _Rule(NamedTuple):
    amounts: NodeRule
    why: Why | None


class Convention:
    """A named way of counting.

    Args:
        name: as users write it (``netscope-2016``).
        quantities: the numbers it gives, in the order in which they are shown; the first is
            compared with the MACs of ``mult-adds``.
        about: what is counted, what is not, what is peculiar: its module's docstring.
        source: program and version, or text, that the rules were read from.
        read: the date of reading, ISO 8601.
    """

    def __init__(
        self,
        name: str,
        *,
        quantities: Sequence[str],
        about: str,
        source: str,
        read: str,
    ) -> None:
        self.name = name
        self.quantities = tuple(quantities)
        self.about = about
        self.source = source
        self.read = read
        self.main = self.quantities[0]
        self._rules: dict[str, list[_Rule]] = {}
        self._every: list[_Rule] = []
        self._over_nodes: list[NodesRule] = []
        self._over_graph: list[tuple[GraphRule, str]] = []

    def __repr__(self) -> str:
        return f"<convention {self.name}>"

    @property
    def title(self) -> str:
        """The first line of what is to be said about it."""
        return self.about.strip().partition("\n")[0]

    def rule(self, *kinds: str, why: Why | None = None) -> Callable[[NodeRule], NodeRule]:
        """Register a rule for nodes of these kinds of operators, or, without kinds, of all.

        A kind may have several rules. The first stands for the node's multiply-accumulates: what
        it counts more or less than those is a difference from ``mult-adds``; what any further rule
        counts is one as a whole. ``why`` is the reason for the difference. It reads after an
        amount, and alike in all conventions: "biases counted as 1 per output element".
        """

        def register(count: NodeRule) -> NodeRule:
            rule = _Rule(count, why)
            if not kinds:
                self._every.append(rule)
            for kind in kinds:
                self._rules.setdefault(kind, []).append(rule)
            return count

        return register

    def over_nodes(self, count: NodesRule) -> NodesRule:
        """Register a rule for all nodes at once, for what does not add up node by node (params).

        It gives no amount of the main quantity.
        """
        self._over_nodes.append(count)
        return count

    def over_graph(self, why: str) -> Callable[[GraphRule], GraphRule]:
        """Register a rule for whole networks alone: what a program adds in its total.

        ``why`` is the reason, as in :meth:`rule`.
        """

        def register(count: GraphRule) -> GraphRule:
            self._over_graph.append((count, why))
            return count

        return register

    def count(self, graph: Graph, nodes: Sequence[Node] | None = None) -> Count:
        """The numbers of ``graph`` or, if given, of just these of its nodes.

        Rules for whole networks then count nothing.
        """
        numbers: Counter[str] = Counter(dict.fromkeys(self.quantities, 0))
        reasons: Counter[str] = Counter()
        counted = graph.nodes if nodes is None else nodes
        for node in counted:
            self._count_node(node, numbers, reasons)
        for over_nodes in self._over_nodes:
            numbers.update(over_nodes(counted))
        if nodes is None:
            for over_graph, why in self._over_graph:
                amounts = over_graph(graph)
                numbers.update(amounts)
                reasons[why] += amounts.get(self.main, 0)
        ignored = {
            n.op.kind
            for n in counted
            if not n.op.known or (n.application.flops and not self._rules_for(n))
        }
        ranked = sorted(reasons.items(), key=lambda item: (-abs(item[1]), item[0]))
        return Count(
            self,
            dict(numbers),
            tuple(Reason(why, amount) for why, amount in ranked if amount),
            tuple(sorted(ignored)),
        )

    def _rules_for(self, node: Node) -> list[_Rule]:
        return [*self._rules.get(node.op.kind, ()), *self._every]

    def _count_node(self, node: Node, numbers: Counter[str], reasons: Counter[str]) -> None:
        """Add what the rules count of ``node``, and by how much it differs from its MACs."""
        kind = in_words(node.op.kind)
        owed = node.application.macs
        for rule in self._rules_for(node):
            amounts = rule.amounts(node)
            numbers.update(amounts)
            why = rule.why(node) if callable(rule.why) else rule.why
            reasons[why or f"{kind} counted differently"] += amounts.get(self.main, 0) - owed
            owed = 0
        reasons[f"{kind} not counted"] -= owed
