"""Linear layers and products: parameters as torch's, macs as its FlopCounterMode counts."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.flop_counter import FlopCounterMode

from archcost.ir import GraphBuilder, Reach, ShapeError, TensorType, Work
from archcost.ir.ops import make
from archcost.ir.ops.linear import Embedding, EmbeddingBag, Linear, MatMul, RadialBasis

quick = settings(max_examples=60, deadline=None)
sizes = st.integers(1, 6)


def counted_macs(function, *inputs):
    """The output of ``function``, and half the flops that torch counts in it."""
    with FlopCounterMode(display=False) as counter:
        y = function(*inputs)
    return y, counter.get_total_flops() // 2


@quick
@given(st.lists(sizes, min_size=2, max_size=5).map(tuple), sizes, st.booleans(), st.booleans())
def test_linear(shape, out, bias, flatten):
    x = torch.zeros(shape)
    if flatten and len(shape) >= 4:
        x = x.flatten(1)
    module = torch.nn.Linear(x.shape[-1], out, bias=bias)
    y, macs = counted_macs(module, x)
    application = Linear(out, bias, flatten).apply((TensorType(shape),))
    assert application.outputs == (TensorType(tuple(y.shape)),)
    assert [p.shape for p in application.parameters] == [
        tuple(p.shape) for p in module.parameters()
    ]
    assert application.macs == macs
    assert application.flops == 2 * macs + bias * y.numel()
    assert application.saved == (True, False, 0)


@pytest.mark.parametrize("bias", [True, False])
def test_drop_connect_keeps_one_bit_for_each_masked_weight_of_each_vector(bias):
    masks = torch.rand(3, 5, 10 + bias) > 0.5  # 3 vectors of 10 are mapped to 5 with a bias column
    plain, dropped = (Linear(5, bias, drop_connect=rate) for rate in (0, 0.5))
    assert plain == Linear(5, bias)
    x = TensorType((3, 10))
    assert plain.apply((x,)).saved == (True, False, 0)
    assert dropped.apply((x,)).saved == (True, False, -(-masks.numel() // 8))
    assert dropped.apply((x,)).work == plain.apply((x,)).work


def test_linear_reads_all_positions_of_feature_maps():
    (maps, tokens) = TensorType((2, 3, 5, 7)), TensorType((2, 5, 7))
    assert Linear(4).apply((maps,)).reach == (Reach(0, 4, 5), Reach(0, 6, 7))
    assert Linear(4, flatten=False).apply((maps,)).reach is None
    assert Linear(4).apply((tokens,)).reach is None


def test_linear_needs_a_batch():
    with pytest.raises(ShapeError, match="linear needs an input"):
        Linear(4).apply((TensorType((3,)),))


@st.composite
def products(draw):
    """Shapes of two factors, the batch dimensions of which broadcast."""
    batch = draw(st.lists(sizes, max_size=3))
    m, k, n = draw(sizes), draw(sizes), draw(sizes)
    both = []
    for _ in range(2):
        mine = [draw(st.sampled_from([size, size, 1])) for size in batch]
        both.append(mine[draw(st.integers(0, len(batch))) :])
    return (*both[0], m, k), (*both[1], k, n)


@quick
@given(products(), st.booleans())
def test_matmul(shapes, transpose_b):
    a, b = map(torch.zeros, shapes)
    y, macs = counted_macs(torch.matmul, a, b)
    if transpose_b:
        b = b.mT
    inputs = TensorType(tuple(a.shape)), TensorType(tuple(b.shape))
    application = MatMul(transpose_b).apply(inputs)
    assert application.outputs == (TensorType(tuple(y.shape)),)
    assert application.macs == macs
    assert application.flops == 2 * macs
    assert application.saved.inputs


def test_matmul_errors():
    def apply(a, b, **arguments):
        return MatMul(**arguments).apply((TensorType(a), TensorType(b)))

    with pytest.raises(ShapeError, match=r"\(\.\.\., k, n\) with one k, has 2x3 and 4x5"):
        apply((2, 3), (4, 5))
    with pytest.raises(ShapeError, match=r"\(\.\.\., n, k\) with one k, has 2x3 and 3x5"):
        apply((2, 3), (3, 5), transpose_b=True)
    with pytest.raises(ShapeError, match=r"last two dimensions .* 5 does not fit 7"):
        apply((7, 2, 3), (5, 3, 4))
    with pytest.raises(ShapeError, match="2 dimensions or more"):
        apply((3,), (3, 4))
    with pytest.raises(ShapeError, match="one dtype"):
        MatMul().apply((TensorType((2, 2)), TensorType((2, 2), "bf16")))


@quick
@given(sizes, sizes, sizes, sizes)
def test_grouped_matmul(m, k, n, groups):
    x, matrices = torch.zeros(m, k), torch.zeros(groups, k, n)
    types = TensorType((m, k)), TensorType((groups, k, n)), TensorType((groups,), "int32")
    application = make("grouped_matmul").apply(types)
    # As many products of a row and a matrix as there are rows.
    y, macs = counted_macs(lambda: torch.bmm(x[:, None], matrices[[0] * m])[:, 0])
    assert application.outputs == (TensorType(tuple(y.shape)),)
    assert application.macs == macs
    assert application.read_bytes == 4 * (m * k + min(m, groups) * k * n + groups)


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        (((2, 3), (4, 3, 5), (3,)), r"needs rows \(m, k\), matrices \(g, k, n\) and ends \(g\)"),
        (((2, 3), (3, 5), (3,)), r"needs rows \(m, k\)"),
        (((2, 4), (2, 3, 5), (2,)), "with one k, has 2x4 and 2x3x5"),
    ],
)
def test_grouped_matmul_errors(shapes, message):
    a, b, ends = shapes
    with pytest.raises(ShapeError, match=message):
        make("grouped_matmul").apply((TensorType(a), TensorType(b), TensorType(ends, "int32")))


@quick
@given(products(), st.booleans(), st.booleans(), st.booleans())
def test_solve_triangular(shapes, upper, left, unit):
    (*batch, _, _), vectors = shapes
    n = vectors[-2 if left else -1]
    a, b = torch.eye(n).expand(*batch, n, n), torch.zeros(vectors)
    x = torch.linalg.solve_triangular(a, b, upper=upper, left=left, unitriangular=unit)
    op = make("solve_triangular", upper=upper, left=left, unit=unit)
    application = op.apply((TensorType(tuple(a.shape)), TensorType(tuple(b.shape))))
    assert application.outputs == (TensorType(tuple(x.shape)),)
    # Substituted one after the other: i products are taken off result i, counted from 0.
    each = sum(range(n))
    assert application.work == Work(mul=each, add=each, div=0 if unit else n).times(x.numel() // n)


def test_solve_triangular_errors():
    for a, b in (((2, 3), (3, 2)), ((3, 3), (2, 3)), ((3,), (3, 2))):
        with pytest.raises(ShapeError, match=r"needs \(..., n, n\) and vectors of n, has"):
            make("solve_triangular", upper=True).apply((TensorType(a), TensorType(b)))


@quick
@given(sizes, sizes, sizes, st.booleans())
def test_rbf(batch, features, out, trainable):
    application = RadialBasis(out, trainable).apply((TensorType((batch, features)),))
    centers = torch.zeros(out, features)
    y = torch.cdist(torch.zeros(batch, features), centers)
    assert application.outputs == (TensorType(tuple(y.shape)),)
    assert application.parameters[0].shape == tuple(centers.shape)
    counts = (application.params, application.buffers)
    assert counts == ((centers.numel(), 0) if trainable else (0, centers.numel()))
    pairs = batch * out * features
    assert application.work.mul == pairs
    assert application.work.add == pairs + batch * out * (features - 1)
    assert application.macs == 0


def test_rbf_of_lenet5():
    application = make("rbf", out=10).apply((TensorType((1, 84)),))
    assert (application.buffers, application.params) == (840, 0)
    assert application.flops == 10 * (84 + 84 + 83)
    with pytest.raises(ShapeError, match="flatten it before"):
        make("rbf", out=10).apply((TensorType((1, 84, 1, 1)),))


@quick
@given(
    st.lists(sizes, min_size=1, max_size=3).map(tuple),
    sizes,
    sizes,
    st.sampled_from(["fp32", "bf16"]),
)
def test_embedding(shape, count, width, dtype):
    x = torch.zeros(shape, dtype=torch.int64)
    table = {"fp32": torch.float32, "bf16": torch.bfloat16}[dtype]
    module = torch.nn.Embedding(count, width, dtype=table)
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t) or t, lambda t: t):
        y = F.embedding(x, module.weight)
    application = Embedding(count, width, dtype).apply((TensorType(shape, "int64"),))
    assert application.outputs == (TensorType(tuple(y.shape), dtype),)
    assert application.params == count * width
    assert application.parameter_bytes == module.weight.nbytes
    assert application.written_bytes == y.nbytes
    assert application.flops == 0
    assert application.saved.inputs == any(t.data_ptr() == x.data_ptr() for t in kept)


def test_embedding_needs_integers():
    for dtype in ("fp32", "bool"):
        with pytest.raises(ShapeError, match=f"needs an input of integers .* has {dtype}"):
            Embedding(10, 4).apply((TensorType((1, 3), dtype),))


@pytest.mark.parametrize(("dtype", "width"), [("fp32", 8 * 4), ("bf16", 8 * 2), ("int8", 8)])
def test_embedding_reads_only_the_rows_looked_up(dtype, width):
    embedding = Embedding(100, 8, dtype)
    for shape in ((1, 5), (4, 25), (99,), (7, 3, 2)):
        x = TensorType(shape, "int64")
        assert embedding.apply((x,)).read_bytes == x.numel * 8 + x.numel * width
    # ... and no row twice, where there are more indices than rows.
    for shape in ((101,), (2, 300)):
        x = TensorType(shape, "int64")
        assert embedding.apply((x,)).read_bytes == x.numel * 8 + 100 * width
    assert embedding.apply((TensorType((1, 5), "int32"),)).read_bytes == 5 * 4 + 5 * width


@quick
@given(sizes, sizes, sizes, st.sampled_from(["sum", "mean", "max"]), st.booleans())
def test_embedding_bag(bags, each, width, mode, by_offsets):
    module = torch.nn.EmbeddingBag(10, width, mode=mode)
    x = torch.zeros(bags, each, dtype=torch.int64)
    inputs = (x.flatten(), torch.arange(0, bags * each, each)) if by_offsets else (x,)
    y = module(*inputs)
    application = EmbeddingBag(10, width, mode).apply(
        tuple(TensorType(tuple(t.shape), "int64") for t in inputs)
    )
    assert application.outputs == (TensorType(tuple(y.shape)),)
    assert application.params == module.weight.numel()
    joined = bags * (each - 1) * width
    assert (
        application.work
        == {
            "sum": Work(add=joined),
            "mean": Work(add=joined, div=y.numel()),
            "max": Work(cmp=joined),
        }[mode]
    )


@pytest.mark.parametrize("by_offsets", [False, True])
def test_what_bags_of_maxima_keep(by_offsets):
    x = torch.zeros(2, 5, dtype=torch.int64)
    inputs = (x.flatten(), torch.tensor([0, 5])) if by_offsets else (x,)
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t) or t, lambda t: t):
        torch.nn.EmbeddingBag(10, 3, mode="max")(*inputs)
    types = tuple(TensorType(tuple(t.shape), "int64") for t in inputs)
    saved = EmbeddingBag(10, 3, "max").apply(types).saved
    assert saved.inputs
    assert sum(t.nbytes for t in kept) == sum(t.nbytes for t in inputs) + saved.extra


def test_embedding_bag_reads_rows_once_and_takes_the_networks_dtype():
    bag = EmbeddingBag(100, 8)
    x = TensorType((2, 5), "int64")
    assert bag.apply((x,)).read_bytes == 10 * 8 + 10 * 32
    assert bag.apply((TensorType((2, 300), "int64"),)).read_bytes == 600 * 8 + 100 * 32
    assert bag.with_dtype("bf16") == EmbeddingBag(100, 8, dtype="bf16")
    assert bag.with_dtype("bf16").apply((x,)).outputs[0].dtype == "bf16"


@pytest.mark.parametrize(
    ("types", "message"),
    [
        ([TensorType((5,), "int64")], r"indices \(B, K\), or \(n\) and offsets \(B\)"),
        ([TensorType((5, 2), "int64"), TensorType((2,), "int64")], r"or \(n\) and offsets"),
        ([TensorType((5, 2))], "needs integers .* has fp32"),
        ([TensorType((5,), "int64"), TensorType((2,), "bool")], "has bool"),
    ],
)
def test_embedding_bag_errors(types, message):
    with pytest.raises(ShapeError, match=message):
        EmbeddingBag(10, 4).apply(tuple(types))


def test_a_network_of_another_dtype_keeps_integer_tables():
    for dtype in ("fp32", "fp64", "bf16"):
        assert Embedding(10, 4, dtype).with_dtype("fp16") == Embedding(10, 4, "fp16")
    for dtype in ("int8", "int4", "int64", "bool"):
        table = Embedding(10, 4, dtype)
        assert table.with_dtype("fp16") == table
    builder = GraphBuilder("tables")
    tokens = builder.input("tokens", TensorType((1, 3), "int64"))
    (a,) = builder.add(Embedding(10, 4), [tokens], "a")
    (b,) = builder.add(Embedding(10, 4, "int8"), [tokens], "b")
    graph = builder.build({"a": a, "b": b}).with_dtype("bf16")
    assert [value.type.dtype for value in graph.outputs] == ["bf16", "int8"]
    assert [p.nbytes for p in graph.parameters] == [80, 40]


def test_a_tied_table_counts_once():
    builder = GraphBuilder("tied")
    tokens = builder.input("tokens", TensorType((1, 5), "int64"))
    (x,) = builder.add(Embedding(100, 8), [tokens], "embedding")
    table = x.producer.parameters[0]
    (y,) = builder.add(Linear(100, bias=False), [x], "head", share={"weight": table})
    graph = builder.build({"logits": y})
    assert y.shape == (1, 5, 100)
    assert sum(p.numel for p in graph.parameters) == 800
