"""Random weights with which the numbers neither grow nor vanish through a network.

torch's own fresh weights shrink what passes through a convolution without bias, layer by layer,
down to numbers that a processor handles more slowly; residual sums grow beyond what fp16 holds.
Trained networks do neither, and time should be theirs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    from archcost.targets.torch import GraphModule, Step


def settle(module: GraphModule, inputs: Sequence[Tensor]) -> None:
    """Run a pass, and scale the weights of every layer so that its output deviates by 1.

    The scaling of Mishkin and Matas 2016 ("All you need is a good init"), without its orthogonal
    beginning and in one step. A batch normalisation's running statistics become the mean and the
    deviation of what it is given, as training would make them. The first sample speaks for all;
    a weight that several layers have is scaled by the first of them.
    """
    import torch

    done: set[int] = set()

    def watch(step: Step, made: tuple[Tensor, ...]) -> None:
        part = step.module
        if part is None or len(made) != 1 or not made[0].is_floating_point():
            return
        weight = getattr(part, "weight", None)
        normalises = getattr(part, "running_var", None) is not None
        linear = isinstance(weight, torch.Tensor) and weight.dim() >= 2
        if not (normalises or linear) or isinstance(part, torch.nn.Embedding):
            return
        if weight is not None and id(weight) in done:
            return
        done.add(id(weight))
        deviation, mean = torch.std_mean(made[0][:1].float(), correction=0)
        usable = torch.isfinite(deviation) & (deviation > 0)
        deviation = torch.where(usable, deviation, 1.0)
        if normalises:
            # Fresh ones have a mean of 0, a variance of 1 and change nothing: this is their input.
            mean = torch.where(usable, mean, 0.0)
            part.running_mean.fill_(mean)  # type: ignore[operator]
            part.running_var.fill_(deviation.square())  # type: ignore[operator]
            made[0].sub_(mean)
        else:
            for tensor in (weight, getattr(part, "bias", None)):
                if isinstance(tensor, torch.Tensor):
                    tensor.div_(deviation)
        made[0].div_(deviation)

    module.watched(watch, *inputs)
