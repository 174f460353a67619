"""Stored size: exact, monotone, and refused where it makes no sense."""

from __future__ import annotations

from fractions import Fraction
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

import archcost
from archcost.analysis import STORAGE_DTYPES, analyze, storage_bytes, weight_bytes
from archcost.analysis.storage import packed_bytes
from archcost.ir import BITS

counts = st.integers(0, 2**53)
widths = st.integers(1, 64)
indices = st.integers(0, 64)
shares = st.decimals(0, 1, places=6).filter(lambda d: d < 1).map(float)


@given(counts, counts, widths, shares, indices)
def test_exact(params: int, buffers: int, bits: int, sparsity: float, index: int) -> None:
    kept = ceil(params * (1 - Fraction(str(sparsity))))
    width = bits + index if sparsity else bits
    expected = ceil(Fraction(kept * width + buffers * bits, 8))
    found = packed_bytes(params, buffers, bits, sparsity=sparsity, index_bits=index)
    assert found == expected
    assert type(found) is int


@given(counts, counts, widths, widths, shares, shares, indices)
def test_monotone(
    params: int, buffers: int, bits: int, more: int, a: float, b: float, index: int
) -> None:
    low, high = sorted((bits, more))
    assert packed_bytes(params, buffers, low) <= packed_bytes(params, buffers, high)
    sparse, dense = max(a, b), min(a, b)
    if dense:  # at 0 no indices are stored
        assert packed_bytes(
            params, buffers, bits, sparsity=sparse, index_bits=index
        ) <= packed_bytes(params, buffers, bits, sparsity=dense, index_bits=index)
    assert packed_bytes(params, buffers, bits, sparsity=sparse) <= packed_bytes(
        params, buffers, bits
    )
    assert packed_bytes(params, buffers, bits) <= packed_bytes(params, buffers + 1, bits)


@pytest.mark.parametrize(("sparsity", "kept"), [(0.7, 3), (0.1, 9), (0.9, 1), (0.99, 1), (0.29, 8)])
def test_a_share_is_the_decimal_that_was_written(sparsity: float, kept: int) -> None:
    assert packed_bytes(10, 0, 8, sparsity=sparsity) == kept


def test_deep_compression_of_alexnet() -> None:
    """Han et al. 2016 (arXiv:1510.00149, abstract): AlexNet 35 times smaller, 240 MB to 6.9 MB, by
    pruning 9 times, then 5 bits a weight, then Huffman coding, which is not counted here: so the
    size must come out above theirs, and near it."""
    params = analyze(archcost.load("alexnet")).totals.params
    assert packed_bytes(params, 0, 32) == pytest.approx(240e6, rel=0.02)
    packed = packed_bytes(params, 0, 5, sparsity=1 - 1 / 9, index_bits=4)
    assert 6.9e6 < packed < 1.3 * 6.9e6
    # What is left out of the indices: 11 % alone at 5 bits.
    assert packed_bytes(params, 0, 5, sparsity=0.89) < packed_bytes(
        params, 0, 5, sparsity=0.89, index_bits=4
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"bits": 0}, "bits is 1 to 64, not 0"),
        ({"bits": 65}, "bits is 1 to 64"),
        ({"bits": 8, "sparsity": 1.0}, "below 1, not 1.0"),
        ({"bits": 8, "sparsity": -0.1}, "sparsity is at least 0"),
        ({"bits": 8, "sparsity": float("nan")}, "sparsity"),
        ({"bits": 8, "index_bits": -1}, "index_bits is 0 to 64"),
        ({"bits": 8, "index_bits": 65}, "index_bits is 0 to 64"),
    ],
)
def test_refused(arguments: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        packed_bytes(10, 10, **arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["lenet5", "simplenet", "resnet20"])
def test_a_graph_is_stored_as_its_params_and_buffers(name: str) -> None:
    graph = archcost.load(name)
    totals = analyze(graph).totals
    for dtype, bits in STORAGE_DTYPES.items():
        assert bits == BITS[dtype]
        assert totals.storage_bytes[dtype] == storage_bytes(graph, bits)
        assert storage_bytes(graph, bits) == packed_bytes(totals.params, totals.buffers, bits)
        assert analyze(graph).storage_bytes(bits) == storage_bytes(graph, bits)
    assert storage_bytes(graph, 32) == weight_bytes(graph)
