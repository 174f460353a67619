"""Linear layers and products, embeddings, normalisations, recurrent layers, attention."""

from __future__ import annotations

from math import prod
from typing import Any, Final

from archcost.ir import FLOATS, Parameter, Shape, Value
from archcost.sources.onnx.call import Call, Result, Unfit, translates
from archcost.sources.onnx.tensors import Item, Known, shown

# --- linear layers and products -----------------------------------------------------------------


def linear(call: Call, x: Value, weight: Parameter, bias: Parameter | None, out: int) -> Value:
    """x W^T + b over the last dimension."""
    share = {"weight": weight, "bias": bias}
    return call.add("linear", x, out=out, bias=bias is not None, flatten=False, share=share)


@translates("MatMul")
def matmul(call: Call) -> Result:
    a, b = call.shape(0), call.shape(1)
    if len(b) == 2 and len(a) >= 2 and a[-1] == b[0]:
        weight = call.weight(1, (b[1], b[0]))
        if weight is not None:
            bias = bias_behind(call, b[1])
            if bias is None:
                return linear(call, call.value(0), weight, None, b[1])
            at, parameter = bias
            y = linear(call, call.value(0), weight, parameter, b[1])
            call.take_over(at, y)
            return y
    return product(call, call.value(0), call.value(1))


def bias_behind(call: Call, out: int) -> tuple[int, Parameter] | None:
    """The biases that an Add behind this product adds to it, where nothing else reads it."""
    found = call.follower()
    if found is None:
        return None
    at, add = found
    if (add.op_type, add.node.domain, len(add.node.input)) != ("Add", "", 2):
        return None
    index = 1 if add.node.input[0] == call.node.output[0] else 0
    known = add.known(index)
    if known is None or not _row_of(known.type.shape, out):
        return None
    if len(known.type.shape) > len(call.shape(0)) or not known.roots:
        return None
    bias = add.weight(index, (out,))
    return None if bias is None else (at, bias)


def product(call: Call, a: Value, b: Value) -> Value:
    """numpy's matmul: vectors become matrices for it."""
    row, col = len(a.shape) == 1, len(b.shape) == 1
    if row:
        a = call.add("unsqueeze", a, dim=0, part="row")
    if col:
        b = call.add("unsqueeze", b, dim=1, part="column")
    y = call.add("matmul", a, b)
    dims = ((-2,) if row else ()) + ((-1,) if col else ())
    return call.add("squeeze", y, dims=dims, part="vector") if dims else y


@translates("Gemm")
def gemm(call: Call) -> Result:
    alpha, beta = call.real("alpha", 1.0), call.real("beta", 1.0)
    turned_a, turned_b = call.integer("transA", 0), call.integer("transB", 0)
    shape = call.shape(1)
    if len(shape) != 2 or len(call.shape(0)) != 2:
        raise call.error(f"needs matrices, has {list(call.shape(0))} and {list(shape)}")
    out, features = shape if turned_b else shape[::-1]
    weight = call.weight(1, (out, features))
    # A constant C of zeros is how some exporters write that there is no bias.
    added = call.given(2) and call.scalar(2) != 0 and beta != 0
    bias = None
    if weight is not None and added and alpha == beta == 1 and _row_of(call.shape(2), out):
        bias = call.weight(2, (out,))
    a = call.value(0)
    if turned_a:
        a = call.add("permute", a, dims=(1, 0), part="transposed")
    if weight is not None:
        y = linear(call, a, weight, bias, out)
    else:
        y = call.add("matmul", a, call.value(1), transpose_b=bool(turned_b))
    if alpha != 1:
        y = call.add("rescale", y, scale=alpha, part="alpha")
    if not added or bias is not None:
        return y
    c = call.value(2)
    if beta != 1:
        c = call.add("rescale", c, scale=beta, part="beta")
    return call.add("sum", y, c, part="sum")


def _row_of(shape: Shape, size: int) -> bool:
    """Whether a tensor of this shape is one row of so many numbers."""
    return shape[-1:] == (size,) and prod(shape) == size


@translates("Einsum")
def einsum(call: Call) -> Result:
    from archcost.sources.onnx.einsum import contracted

    return contracted(call, call.text("equation"))


@translates("Gather")
def gather(call: Call) -> Result:
    """Of a stored table: an embedding. By one known index: that position; by several in a row: a
    slice. Else an index_select."""
    shape = call.shape(0)
    axis = call.integer("axis", 0)
    indices = call.known(1)
    values = None if indices is None else indices.values
    if values is not None and values.ndim <= 1 and values.size:
        numbers = [int(number) for number in values.reshape(-1).tolist()]
        size = shape[axis]
        if any(not -size <= number < size for number in numbers):
            raise call.error(f"reads position {max(numbers)} of a dimension of {size}")
        numbers = [number % size for number in numbers]
        if values.ndim == 0:
            return call.add("select", call.value(0), dim=axis, index=numbers[0])
        step = numbers[1] - numbers[0] if len(numbers) > 1 else 1
        stop = numbers[-1] + 1
        taken = range(numbers[0], stop, max(1, step))
        if step > 0 and len(taken) == len(numbers) and list(taken) == numbers:
            return call.add(
                "slice", call.value(0), dim=axis, start=numbers[0], stop=stop, step=step
            )
    table = call.known(0)
    if table is not None and table.is_weight and axis in (0, -2) and len(shape) == 2:
        weight = call.weight(0)
        if weight is not None:
            count, width = shape
            return call.add(
                "embedding",
                call.value(1),
                count=count,
                width=width,
                dtype=table.type.dtype,
                share={"weight": weight},
            )
    return call.add("index_select", call.value(0), call.value(1), dim=axis)


# --- normalisations -----------------------------------------------------------------------------


@translates("BatchNormalization")
def batch_norm(call: Call) -> Result:
    if any(map(call.is_read, range(1, 5))):
        raise Unfit("its statistics are read")
    channels = (call.shape(0)[1],)
    affine = not (made_up(call, 1, 1) and made_up(call, 2, 0))
    roles = {"weight": 1, "bias": 2} if affine else {}
    share = {role: call.weight(at, channels) for role, at in roles.items()}
    for role, at in (("running_mean", 3), ("running_var", 4)):
        share[role] = call.weight(at, channels, trainable=False)
    if None in share.values():
        raise Unfit("its weights or statistics are computed in the pass")
    if call.integer("training_mode", 0):
        call.reader.note("batch normalisations are counted as at inference, by stored statistics")
    eps = call.real("epsilon", 1e-5)
    return call.add("batch_norm", call.value(0), affine=affine, eps=eps, share=share)


def made_up(call: Call, at: int, number: float, *, stored: bool = False) -> bool:
    """Whether input ``at`` is this number everywhere only because the operator needs something
    there: it is made on the spot, or ``stored`` all the same."""
    known = call.known(at)
    if known is None or not (stored or all(root.inline for root in known.roots)):
        return False
    return uniform(known, number)


@translates("InstanceNormalization")
def instance_norm(call: Call) -> Result:
    channels = (call.shape(0)[1],)
    x, eps = call.value(0), call.real("epsilon", 1e-5)
    # Behind a view: a group normalisation as torch exports it, groups as channels, weights after.
    view = x.producer is not None and x.producer.op.view
    if made_up(call, 1, 1, stored=view) and made_up(call, 2, 0, stored=view):
        return call.add("instance_norm", x, eps=eps)
    share = {"weight": call.weight(1, channels), "bias": call.weight(2, channels)}
    if None in share.values():
        raise Unfit("its weights are computed in the pass")
    return call.add("instance_norm", x, affine=True, eps=eps, share=share)


def uniform(known: Known | None, number: float) -> bool:
    """Whether all elements are this number."""
    values = None if known is None else known.values
    return values is not None and bool((values == number).all())


@translates("LayerNormalization")
def layer_norm(call: Call) -> Result:
    if call.is_read(1) or call.is_read(2):
        raise Unfit("its mean or deviation is read")
    return normalized(call, "layer_norm", call.value(0), weight=1, bias=2)


@translates("RMSNormalization", "SimplifiedLayerNormalization")
def rms_norm(call: Call) -> Result:
    return normalized(call, "rms_norm", call.value(0), weight=1)


def normalized(
    call: Call, kind: str, x: Value, *, weight: int, bias: int = -1, epsilon: float = 1e-5
) -> Value:
    """``kind`` of ``x`` over the dimensions from ``axis`` on, with the inputs of these numbers."""
    rank = len(x.shape)
    axis = call.integer("axis", -1)
    if not -rank <= axis < rank:
        raise call.error(f"names axis {axis} of an input with {rank} dimensions")
    shape = x.shape[axis % rank :]
    scale = call.weight(weight, shape) if call.given(weight) else None
    has_bias = bias >= 0 and call.given(bias)
    shift = call.weight(bias, shape) if has_bias else None
    if len(shape) == rank or (scale is None) == call.given(weight) or (has_bias and not shift):
        raise Unfit("its weights are computed in the pass, or it has no sample to itself")
    arguments: dict[str, Any] = {"dims": len(shape), "affine": scale is not None}
    share = {"weight": scale}
    if kind == "layer_norm":
        arguments["bias"] = has_bias
        share["bias"] = shift
    eps = call.real("epsilon", epsilon)
    return call.add(kind, x, eps=eps, share=share, **arguments)


@translates("GroupNormalization")
def group_norm(call: Call) -> Result:
    groups = call.integer("num_groups")
    channels = (call.shape(0)[1],)
    eps = call.real("epsilon", 1e-5)
    if made_up(call, 1, 1) and made_up(call, 2, 0):
        return call.add("group_norm", call.value(0), groups=groups, affine=False, eps=eps)
    share = {"weight": call.weight(1, channels), "bias": call.weight(2, channels)}
    if None in share.values():
        raise Unfit("it has a weight for each group")  # until opset 21
    return call.add("group_norm", call.value(0), groups=groups, eps=eps, share=share)


@translates("LRN")
def local_response_norm(call: Call) -> Result:
    return call.add(
        "lrn",
        call.value(0),
        size=call.integer("size"),
        alpha=call.real("alpha", 1e-4),
        beta=call.real("beta", 0.75),
        k=call.real("bias", 1.0),
    )


@translates("LpNormalization")
def lp_norm(call: Call) -> Result:
    p = call.integer("p", 2)
    if p not in (1, 2):
        raise Unfit(f"its norm is {p}")
    x = call.value(0)
    length = call.add(f"reduce_l{p}", x, dims=(call.integer("axis", -1),), keep=True, part="norm")
    return call.add("quotient", x, length)


@translates("Dropout")
def dropout(call: Call) -> Result:
    if call.version < 12:
        rate: float | None = call.real("ratio", 0.5)
    else:
        rate = call.scalar(1) if call.given(1) else 0.5
    if rate is None or not 0 <= rate <= 1:
        raise Unfit("its rate is computed in the pass")
    y = call.add("dropout", call.value(0), rate=rate)
    if not call.is_read(1):
        return y
    return y, call.add("constant", shape=y.shape, dtype="bool", part="mask")


# --- recurrent layers ---------------------------------------------------------------------------

GATES: Final = {"LSTM": 4, "GRU": 3, "RNN": 1}


@translates("LSTM", "GRU", "RNN")
def recurrent(call: Call, *, turned: bool = False) -> Result:
    """One layer; its weights are stored for both directions at once and taken apart here.

    ``turned``: they are stored as (directions, features, gates).
    """
    mode = recurrent_mode(call)
    w, r = call.known(1), call.known(2)
    x, direction = call.item(0), call.text("direction", "forward")
    if w is None or r is None or len(w.type.shape) != 3 or len(r.type.shape) != 3:
        raise Unfit("its weights are computed in the pass")
    directions, rows, features = w.type.shape
    if turned:
        rows, features = features, rows
    hidden = rows // GATES[kind_of(call)]
    if directions != (2 if direction == "bidirectional" else 1) or len(x.type.shape) != 3:
        raise call.error(
            f"has weights of {list(w.type.shape)} and the direction {shown(direction)}"
        )
    ends = ("l0", "l0_reverse")[:directions]
    share: dict[str, Parameter] = {}
    for known, role, shape in ((w, "ih", (rows, features)), (r, "hh", (rows, hidden))):
        found = call.reader.weights.pieces(known, {f"weight_{role}_{end}": shape for end in ends})
        if found is None:
            raise Unfit("its weights are computed in the pass")
        share |= found if directions > 1 else {f"weight_{role}_l0": p for p in found.values()}
    if call.given(3):
        b = call.known(3)
        names = [f"bias_{role}_{end}" for end in ends for role in ("ih", "hh")]
        biases = None if b is None else call.reader.weights.pieces(b, dict.fromkeys(names, (rows,)))
        if biases is None:
            raise Unfit("its biases are computed in the pass")
        share |= biases
    layout = call.integer("layout", 0)
    states = [state for at in (5, 6) if (state := initial(call, at)) is not None]
    values = [call.tensor_of(state) for state in states]
    if layout:
        values = [call.add("permute", v, dims=(1, 0, 2), part="state") for v in values]
    time = 1 if layout else 0
    inward = call.value(0)
    if direction == "reverse":
        inward = call.add("flip", inward, dims=(time,), part="reverse")
    y, *last = call.add_all(
        mode,
        inward,
        *values,
        hidden=hidden,
        bias=call.given(3),
        bidirectional=directions > 1,
        batch_first=bool(layout),
        share=share,
    )
    if direction == "reverse":
        y = call.add("flip", y, dims=(time,), part="forward")
    return arranged(call, y, last, directions, hidden, layout)


def arranged(
    call: Call, y: Value, last: list[Value], directions: int, hidden: int, layout: int
) -> list[Item | None]:
    """Our outputs in ONNX' order of dimensions; only what is read somewhere."""
    results: list[Item | None] = [None] * 3
    if call.is_read(0):
        y = call.add("view", y, part="directions", shape=(*y.shape[:2], directions, hidden))
        results[0] = y if layout else call.add("permute", y, dims=(0, 2, 1, 3), part="y")
    for at, state in enumerate(last, 1):
        if call.is_read(at):
            results[at] = (
                call.add("permute", state, dims=(1, 0, 2), part=f"last{at}") if layout else state
            )
    return results


def kind_of(call: Call) -> str:
    return call.op_type.removeprefix("DynamicQuantize")


def recurrent_mode(call: Call) -> str:
    functions = [name.lower() for name in call.texts("activations") or ()]
    usual = {"LSTM": ["sigmoid", "tanh", "tanh"], "GRU": ["sigmoid", "tanh"], "RNN": ["tanh"]}
    wanted = usual[kind_of(call)]
    mode = kind_of(call).lower()
    if call.op_type == "RNN":
        if functions and set(functions) == {"relu"}:
            return "rnn_relu"
        mode = "rnn_tanh"
    if functions and functions not in (wanted, wanted * 2):
        raise Unfit(f"its activations are {', '.join(map(shown, functions))}")
    if call.given(7) or call.integer("input_forget", 0):
        raise Unfit("it has peepholes, or couples its gates")
    if call.given(4) and call.known(4) is None:
        call.reader.note(f"{call.place}: every sequence is taken to have the full length")
    return mode


def initial(call: Call, at: int) -> Item | None:
    """An initial state; zeros are what there is without one."""
    if not call.given(at) or (kind_of(call) != "LSTM" and at == 6):
        return None
    return None if uniform(call.known(at), 0) else call.item(at)


# --- attention ----------------------------------------------------------------------------------


@translates("Attention")
def attention(call: Call) -> Result:
    """Queries, keys and values of (N, heads, T, E), or of (N, T, heads * E)."""
    if any(call.given(at) for at in range(4, 7)) or any(map(call.is_read, (1, 2, 3))):
        raise Unfit("it has keys and values of the past")
    if call.real("softcap", 0.0) or call.type_of(0).dtype not in FLOATS:
        raise Unfit("its scores are capped")
    heads = call.integer("q_num_heads", 0), call.integer("kv_num_heads", 0)
    q, k, v = map(call.value, range(3))
    packed = len(q.shape) == 3
    if packed:
        q = split_heads(call, q, heads[0], "q")
        k, v = split_heads(call, k, heads[1], "k"), split_heads(call, v, heads[1], "v")
    mask = [call.value(3)] if call.given(3) else []
    y = call.add(
        "attention",
        q,
        k,
        v,
        *mask,
        # Which scores a mask leaves out, it does besides: neither saves a product.
        causal=bool(call.integer("is_causal", 0)) and not mask,
        scale=call.real("scale", 0.0) or None,
        grouped=q.shape[1] != k.shape[1],
    )
    return join_heads(call, y) if packed else y


def split_heads(call: Call, x: Value, heads: int, part: str) -> Value:
    """(N, T, heads * E) -> (N, heads, T, E)."""
    if heads < 1 or x.shape[-1] % heads:
        raise call.error(f"cannot split {x.shape[-1]} features into {heads} heads")
    sizes = (x.shape[1], heads, x.shape[-1] // heads)
    x = call.add("reshape", x, shape=sizes, part=f"{part}_heads")
    return call.add("permute", x, dims=(0, 2, 1, 3), part=f"{part}_permute")


def join_heads(call: Call, y: Value) -> Value:
    """(N, heads, T, E) -> (N, T, heads * E)."""
    y = call.add("permute", y, dims=(0, 2, 1, 3), part="permute")
    return call.add("flatten", y, start=2, part="joined")
