"""Operators that read their input at places which other tensors name."""

from __future__ import annotations

from typing import ClassVar, Literal

from archcost.ir.arguments import Natural, Number, Size
from archcost.ir.errors import ShapeError
from archcost.ir.op import Op, Reach, Saved, operator
from archcost.ir.ops.dimensions import same_dtype
from archcost.ir.ops.interpolation import CUBIC_WEIGHTS, interpolated
from archcost.ir.ops.windows import per_dimension, spatial_rank, whole
from archcost.ir.types import TensorType, Work, bytes_for, shape_text


@operator
class GridSample(Op):
    """(N, C, H, W), interpolated at a grid of places (N, H', W', 2) -> (N, C, H', W').

    So too with three spatial dimensions, and 3 coordinates for each place. Coordinates run from -1
    to 1 over the input, as PyTorch's ``grid_sample`` has them: ``padding`` says what lies beyond,
    ``align_corners`` whether -1 and 1 are the middles of the outermost elements or their edges.
    A coordinate costs 1 mul and 1 add to become a position, 1 add more for its fraction, and
    ``bicubic`` the weights of four neighbours.
    """

    kind: ClassVar[str] = "grid_sample"
    arity: ClassVar[tuple[int, int | None]] = (2, 2)
    keeps: ClassVar[Literal["inputs", "outputs", "nothing"]] = "inputs"

    mode: Literal["nearest", "bilinear", "bicubic"] = "bilinear"
    padding: Literal["zeros", "border", "reflection"] = "zeros"
    align_corners: bool = False

    def infer(self, inputs: tuple[TensorType, ...]) -> tuple[TensorType, ...]:
        x, grid = inputs
        rank = spatial_rank(self.kind, x)
        if rank == 1 or (self.mode == "bicubic" and rank == 3):
            raise ShapeError(f"{self.mode} grid_sample needs no input of {rank} spatial dimensions")
        if grid.rank != x.rank or grid.shape[0] != x.shape[0] or grid.shape[-1] != rank:
            raise ShapeError(
                f"grid_sample needs a grid ({x.shape[0]}, {rank} spatial sizes, {rank}) for an "
                f"input of {shape_text(x.shape)}, has {shape_text(grid.shape)}"
            )
        same_dtype(self.kind, inputs)
        return (x.with_shape((*x.shape[:2], *grid.shape[1:-1])),)

    def work(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Work:
        (x, grid), (y,) = inputs, outputs
        place = Work(mul=1, add=1)
        if self.mode != "nearest":
            place += Work(add=1)
        if self.mode == "bicubic":
            place += CUBIC_WEIGHTS
        return place.times(grid.numel) + interpolated(self.mode, x.rank - 2).times(y.numel)

    def reach(
        self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]
    ) -> tuple[Reach, ...] | None:
        return whole(inputs[0])


@operator
class RoiAlign(Op):
    """Regions of (N, C, H, W), each resampled to ``size`` -> (K, C, *size) (He et al. 2017).

    Boxes are (K, 5), image and corners x1, y1, x2, y2, or (K, 4) with the images' indices (K) as
    third input; ``scale`` leads from their coordinates to the input's, and ``aligned`` moves them
    by half an element. An output element is the mean of ``samples`` x ``samples`` bilinear samples
    of its bin; 0: as many as the box is larger than ``size``, which a pass alone knows and which
    are counted as 1, the fewest. ``pool`` takes the maximum of the elements of the bin (RoIPool,
    Girshick 2015); how many these are depends on the box too, and no comparison is counted.
    """

    kind: ClassVar[str] = "roi_align"
    arity: ClassVar[tuple[int, int | None]] = (2, 3)

    size: Size
    samples: Natural = 0
    pool: bool = False
    scale: Number = 1.0
    aligned: bool = False

    def infer(self, inputs: tuple[TensorType, ...]) -> tuple[TensorType, ...]:
        x, boxes, *images = inputs
        if x.rank != 4:
            raise ShapeError("roi_align needs an input (N, C, H, W)")
        columns = 4 if images else 5
        if boxes.rank != 2 or boxes.shape[1] != columns:
            raise ShapeError(f"roi_align needs boxes (K, {columns}), has {shape_text(boxes.shape)}")
        if images and images[0].shape != boxes.shape[:1]:
            raise ShapeError(
                f"roi_align needs {boxes.shape[0]} indices of images, has "
                f"{shape_text(images[0].shape)}"
            )
        sizes = per_dimension(self.kind, "size", self.size, 2)
        return (x.with_shape((boxes.shape[0], x.channels, *sizes)),)

    def work(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Work:
        # Where the samples lie is the same for all channels and is left out.
        if self.pool:
            return Work()
        count = max(1, self.samples) ** 2
        samples = interpolated("bilinear", 2).times(count)
        return (samples + Work(add=count - 1, div=1)).times(outputs[0].numel)

    def reach(
        self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]
    ) -> tuple[Reach, ...] | None:
        return whole(inputs[0])

    def saved(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Saved:
        # The boxes, not what they are boxes of; and where each maximum was.
        places = bytes_for(outputs[0].numel, "int32") if self.pool else 0
        return Saved(inputs=tuple(range(1, len(inputs))), extra=places)
