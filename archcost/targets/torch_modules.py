"""Modules for the operators that torch has none for: parameters by archcost's names, a forward."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod, sqrt

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def initialise(fan_in: int, *tensors: Tensor | None) -> None:
    """As torch's own linear layers and convolutions draw their weights."""
    for tensor in tensors:
        if tensor is not None:
            nn.init.uniform_(tensor, -1 / sqrt(fan_in), 1 / sqrt(fan_in))


class TableConv(nn.Module):
    """Convolution whose output channels see the input channels that ``connections`` names.

    Weights are (connections, kernel...), one connection after the other of each output channel.
    torch has convolutions with all connections only: the missing ones are zeros.
    """

    def __init__(
        self,
        channels: int,
        connections: Sequence[Sequence[int]],
        kernel: Sequence[int],
        stride: Sequence[int],
        padding: Sequence[int],
        dilation: Sequence[int],
        bias: bool,
    ) -> None:
        super().__init__()
        # Output and input channel of each connection.
        self.rows = [row for row, seen in enumerate(connections) for _ in seen]
        self.columns = [channel for seen in connections for channel in seen]
        self.dense = (len(connections), channels, *kernel)
        self.stride, self.padding, self.dilation = tuple(stride), tuple(padding), tuple(dilation)
        self.weight = nn.Parameter(torch.empty(len(self.rows), *kernel))
        self.bias = nn.Parameter(torch.empty(len(connections))) if bias else None
        initialise(len(self.rows) * prod(kernel) // len(connections), self.weight, self.bias)

    def forward(self, x: Tensor) -> Tensor:
        dense = self.weight.new_zeros(self.dense)
        dense[self.rows, self.columns] = self.weight
        convolve = (F.conv1d, F.conv2d, F.conv3d)[len(self.stride) - 1]
        return convolve(x, dense, self.bias, self.stride, self.padding, self.dilation)


class LocalConv(nn.Module):
    """Convolution with weights (places..., out, in, kernel...) and biases (places..., out) of its
    own at each place: a product of matrices for each."""

    def __init__(
        self,
        places: Sequence[int],
        out: int,
        channels: int,
        kernel: Sequence[int],
        stride: Sequence[int],
        bias: bool,
    ) -> None:
        super().__init__()
        self.places, self.kernel, self.stride = tuple(places), tuple(kernel), tuple(stride)
        self.weight = nn.Parameter(torch.empty(*places, out, channels, *kernel))
        self.bias = nn.Parameter(torch.empty(*places, out)) if bias else None
        initialise(channels * prod(kernel), self.weight, self.bias)

    def forward(self, x: Tensor) -> Tensor:
        rank = len(self.kernel)
        for dim, (size, step) in enumerate(zip(self.kernel, self.stride, strict=True), 2):
            x = x.unfold(dim, size, step)
        # (N, C, places..., kernel...) -> (places, C * kernel, N)
        patches = x.flatten(2, 1 + rank).movedim(2, 0).flatten(2).transpose(1, 2)
        weight = self.weight.flatten(0, rank - 1).flatten(2)
        y = weight @ patches
        if self.bias is not None:
            y = y + self.bias.flatten(0, rank - 1).unsqueeze(2)
        return y.permute(2, 1, 0).contiguous().view(x.shape[0], -1, *self.places)


class DropConnect(nn.Linear):
    """Linear layer that in training zeroes weights and biases with probability ``rate``, others
    for each vector that it maps, and scales the rest by 1 / (1 - rate) (Wan et al. 2013)."""

    def __init__(self, features: int, out: int, bias: bool, rate: float) -> None:
        super().__init__(features, out, bias)
        self.rate, self.biased = rate, bias

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - named so by nn.Linear
        if not self.training or not self.rate:
            return super().forward(input)
        vectors = input.shape[:-1]
        weight = F.dropout(self.weight.expand(*vectors, *self.weight.shape), self.rate)
        y = (weight @ input.unsqueeze(-1)).squeeze(-1)
        if not self.biased:
            return y
        return y + F.dropout(self.bias.expand(*vectors, -1), self.rate)


class RadialBasis(nn.Module):
    """Squared distances to ``out`` centers: parameters, or a buffer of fixed codes of -1 and 1."""

    centers: Tensor

    def __init__(self, features: int, out: int, trainable: bool) -> None:
        super().__init__()
        centers = torch.empty(out, features).bernoulli_().mul_(2).sub_(1)
        if trainable:
            self.centers = nn.Parameter(centers)
        else:
            self.register_buffer("centers", centers)

    def forward(self, x: Tensor) -> Tensor:
        return (x[:, None] - self.centers).square().sum(-1)


class LocalResponseNorm(nn.Module):
    """Local response normalisation over a window of ``size`` in each spatial dimension."""

    def __init__(self, size: int, alpha: float, beta: float, k: float) -> None:
        super().__init__()
        self.size, self.alpha, self.beta, self.k = size, alpha, beta, k

    def forward(self, x: Tensor) -> Tensor:
        mean = (F.avg_pool1d, F.avg_pool2d, F.avg_pool3d)[x.dim() - 3]
        squares, room = x.square(), self.size // 2
        if x.dim() == 5 and min(x.shape[2:]) < self.size:
            # In three dimensions torch's pool takes no larger kernel, however much it pads.
            squares, room = F.pad(squares, (room,) * 6), 0
        squares = mean(squares, self.size, 1, room)
        return x / (self.k + self.alpha * squares) ** self.beta


class ScaleShift(nn.Module):
    """A trainable weight and a bias for each element of ``shape``, which ``x`` has behind its
    first dimension; sizes of 1 behind those."""

    def __init__(self, shape: Sequence[int], rank: int, scale: bool, bias: bool) -> None:
        super().__init__()
        self.broadcast = (*shape, *(1,) * (rank - 1 - len(shape)))
        self.weight = nn.Parameter(torch.ones(*shape)) if scale else None
        self.bias = nn.Parameter(torch.zeros(*shape)) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        if self.weight is not None:
            x = x * self.weight.view(self.broadcast)
        return x if self.bias is None else x + self.bias.view(self.broadcast)


class DropPath(nn.Module):
    """Zeroes whole samples with probability ``rate`` in training and scales the others."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or not self.rate:
            return x
        return x * F.dropout(x.new_ones(x.shape[0], *[1] * (x.dim() - 1)), self.rate)


class PixelShuffle(nn.Module):
    """torch.nn.PixelShuffle, or PixelUnshuffle if ``inverse``, in any number of dimensions."""

    def __init__(self, factor: int, inverse: bool) -> None:
        super().__init__()
        self.factor, self.inverse = factor, inverse

    def forward(self, x: Tensor) -> Tensor:
        batch, channels, *sizes = x.shape
        rank, r = len(sizes), self.factor
        at = range(rank)
        if self.inverse:
            split = [side for size in sizes for side in (size // r, r)]
            x = x.reshape(batch, channels, *split)
            x = x.permute(0, 1, *(3 + 2 * dim for dim in at), *(2 + 2 * dim for dim in at))
            return x.flatten(1, 1 + rank)
        x = x.reshape(batch, channels // r**rank, *(r,) * rank, *sizes)
        x = x.permute(0, 1, *(place for dim in at for place in (2 + rank + dim, 2 + dim)))
        return x.reshape(batch, channels // r**rank, *(size * r for size in sizes))


class Attention(nn.Module):
    """Scaled dot-product attention whose scores are dropped out in training alone: torch's
    function drops them whenever it is asked to."""

    def __init__(self, causal: bool, scale: float | None, grouped: bool, dropout: float) -> None:
        super().__init__()
        self.causal, self.scale, self.grouped = causal, scale, grouped
        self.dropout = dropout

    def forward(self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> Tensor:
        return F.scaled_dot_product_attention(
            q,
            k,
            v,
            mask,
            self.dropout if self.training else 0.0,
            self.causal,
            scale=self.scale,
            enable_gqa=self.grouped,
        )


class AntialiasedUpsample(nn.Upsample):
    """torch's upsampling with its function's antialias, which the module does not offer."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - named so by nn.Upsample
        return F.interpolate(
            input,
            self.size,
            self.scale_factor,
            self.mode,
            self.align_corners,
            antialias=True,
        )


class Weight(nn.Module):
    """A stored tensor that is read as one: it takes nothing and gives its ``value``.

    Drawn as transformers' position embeddings are, from a normal distribution of deviation 0.02;
    zeros where it is a buffer.
    """

    value: Tensor

    def __init__(self, shape: Sequence[int], dtype: torch.dtype, trainable: bool) -> None:
        super().__init__()
        value = torch.zeros(tuple(shape), dtype=dtype)
        if trainable:
            self.value = nn.Parameter(nn.init.normal_(value, std=0.02))
        else:
            self.register_buffer("value", value)

    def forward(self) -> Tensor:
        return self.value
