"""What dtype operands have in common, against torch."""

from __future__ import annotations

from itertools import product

import pytest
import torch

from archcost.ir import NUMPY_NAMES, TensorType
from archcost.ir.ops.dimensions import promoted

DTYPES = ("bool", "uint8", "int8", "int16", "int32", "int64", "fp16", "bf16", "fp32", "fp64")
COMPLEX = ("complex64", "complex128")


def torchs(*types: TensorType) -> torch.dtype:
    tensors = [torch.empty(type_.shape, dtype=dtype(type_.dtype)) for type_ in types]
    return torch.result_type(*tensors)


def dtype(name: str) -> torch.dtype:
    return getattr(torch, NUMPY_NAMES[name])


@pytest.mark.parametrize("shapes", list(product([(), (2,)], repeat=2)))
def test_two_operands_are_promoted_as_in_torch(shapes: tuple[tuple[int, ...], ...]) -> None:
    for dtypes in product(DTYPES + COMPLEX, repeat=2):
        types = [TensorType(*pair) for pair in zip(shapes, dtypes, strict=True)]
        expected = torchs(*types)
        if expected != torch.complex32:  # which archcost does not have
            assert dtype(promoted(types)) == expected, types


def test_dtypes_that_torch_does_not_promote() -> None:
    def common(*dtypes: str) -> str:
        return promoted([TensorType((1,), dtype) for dtype in dtypes])

    assert common("fp8", "fp16") == common("fp16", "fp8") == "fp16"
    assert common("tf32", "fp32") == common("fp32", "tf32") == "fp32"
    assert common("tf32", "bf16") == "tf32"
    assert common("uint4", "int4") == "int8"
    assert common("uint16", "int8") == "int32"
    assert common("uint32", "uint64") == "uint64"
    assert common("uint64", "int8") == "int64"
    assert common("int64", "fp16", "bool") == "fp16"


def test_a_scalar_widens_nothing_of_its_category() -> None:
    wide, narrow = TensorType((), "fp64"), TensorType((3,), "fp16")
    assert promoted([wide, narrow]) == promoted([narrow, wide, wide]) == "fp16"
    assert promoted([wide, TensorType((3,), "int64")]) == "fp64"
    assert promoted([wide, TensorType((), "fp16")]) == "fp64"


def test_names_are_those_of_numpy_and_torch() -> None:
    for ours, name in NUMPY_NAMES.items():
        assert ours in ("int4", "uint4") or isinstance(getattr(torch, name), torch.dtype)
    backwards = {name: ours for ours, name in NUMPY_NAMES.items()}
    assert backwards["float32"] == "fp32"
