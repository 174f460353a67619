"""Regularisers: nothing at inference, in training the mask that torch keeps."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from archcost.ir import ArgumentError, ShapeError, TensorType, Work
from archcost.ir.ops import make
from archcost.ir.ops.regularization import Dropout, DropPath
from archcost.ir.ops.shape import Identity

quick = settings(max_examples=60, deadline=None)
shapes = st.lists(st.integers(1, 5), min_size=2, max_size=5).map(tuple)
rates = st.floats(0, 1, exclude_min=True, exclude_max=True)


def kept_by(function, shape):
    """The tensors that autograd keeps of ``function`` on an input of ``shape``."""
    kept = []
    x = torch.ones(shape, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t) or t, lambda t: t):
        y = function(x)
    assert y.data_ptr() != x.data_ptr()  # a tensor of its own in training
    return kept


def nothing_at_inference(op, shape):
    application = op.apply((TensorType(shape),))
    assert application.outputs == (TensorType(shape),)
    assert application.work == Work()
    assert application.activations == application.params == application.written_bytes == 0
    assert op.view
    assert not op.view_in_training
    return application


@quick
@given(shapes, rates)
def test_dropout_of_elements(shape, rate):
    application = nothing_at_inference(Dropout(rate), shape)
    (mask,) = kept_by(lambda x: torch.native_dropout(x, rate, True)[0], shape)
    assert application.saved == (False, False, mask.nbytes)


@quick
@given(shapes, rates)
def test_dropout_of_channels(shape, rate):
    application = nothing_at_inference(Dropout(rate, per="channel"), shape)
    (mask,) = kept_by(lambda x: torch.feature_dropout(x, rate, True), shape)
    assert application.saved == (False, False, mask.numel())


@quick
@given(shapes, rates)
def test_drop_path(shape, rate):
    def drop_path(x):  # as timm has it
        mask = x.new_empty((x.shape[0],) + (1,) * (x.ndim - 1)).bernoulli_(1 - rate)
        return x * mask

    application = nothing_at_inference(DropPath(rate), shape)
    (mask,) = kept_by(drop_path, shape)
    assert application.saved == (False, False, mask.numel())


@pytest.mark.parametrize("op", [Dropout(0), Dropout(0, per="channel"), DropPath(0)])
def test_a_rate_of_zero_does_nothing_in_training_either(op):
    assert op.view_in_training
    assert not any(op.apply((TensorType((2, 3)),)).saved)
    x = torch.ones(2, 3, requires_grad=True)
    assert F.dropout(x, 0.0).data_ptr() == x.data_ptr()


def test_arguments():
    assert make("dropout") == Dropout(0.5)
    assert make("drop_path", rate=1).rate == 1.0
    assert Identity().view_in_training
    for rate in (-0.1, 1.1, "half"):
        with pytest.raises(ArgumentError, match="rate"):
            Dropout(rate)
    with pytest.raises(ArgumentError, match="one of element, channel"):
        Dropout(per="batch")
    with pytest.raises(ShapeError, match="whole channels"):
        Dropout(per="channel").apply((TensorType((3,)),))
