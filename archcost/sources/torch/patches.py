"""What torch does otherwise while archcost builds or traces a module, and does again afterwards.

Most of it is private to torch: what a version lacks is left alone.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from archcost.sources.torch.errors import value_wanted
from archcost.sources.torch.operators import tensors_in


@contextmanager
def patched(owner: Any, name: str, value: Any) -> Iterator[None]:
    """Within it ``owner`` has another attribute, if it has one of that name."""
    before = getattr(owner, name, None)
    if before is None:
        yield
        return
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, before)


class Literals(TorchFunctionMode):
    """Within it tensors of numbers that the code names (``torch.tensor([h, w], device=x.device)``)
    are real. torch fills them before :class:`~.meta.MetaMode` is asked, and on the meta device
    with nothing. ``replaced`` hears of ``tensor.data = source``, of which no other mode does.
    """

    def __init__(self, replaced: Callable[[Tensor, Tensor], None]) -> None:
        super().__init__()
        self.replaced = replaced

    def __torch_function__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        if func in FILLING:
            data = args[FILLING[func]] if len(args) > FILLING[func] else kwargs.get("data")
            if not any(tensor.is_meta for tensor in tensors_in([data])):
                kwargs = {**kwargs, "device": "cpu"}
        elif func in READING and args[0].is_meta:
            if args[0].numel() == 1 and func is Tensor.tolist:
                return args[0].item()
            raise value_wanted(func.__name__)
        elif func == SET_DATA:
            func(*args)
            return self.replaced(*args)
        return func(*args, **kwargs)


FILLING: Final = {torch.tensor: 0, torch.as_tensor: 0, torch.asarray: 0, Tensor.new_tensor: 1}
"""What makes a tensor of numbers of Python -> the place of the numbers."""
SET_DATA: Final = Tensor.data.__set__  # type: ignore[attr-defined]
READING: Final = (Tensor.tolist, Tensor.numpy, Tensor.__array__)
"""What makes numbers of Python of a tensor, without an operator."""


GPUS: Final = ("cuda", "mps", "xpu")


class NoGPUs(TorchFunctionMode):
    """Within it what code would put on a GPU stays where it is: there need not be one."""

    def __torch_function__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        own = args[0].device if args and isinstance(args[0], Tensor) else torch.device("cpu")
        if func is Tensor.cuda:
            return args[0]
        args = [own if _is_gpu(value) else value for value in args]
        kwargs = {key: own if _is_gpu(value) else value for key, value in (kwargs or {}).items()}
        return func(*args, **kwargs)


def _is_gpu(value: Any) -> bool:
    if isinstance(value, torch.device):
        return value.type in GPUS
    return isinstance(value, str) and value.partition(":")[0] in GPUS


@contextmanager
def without_gpus() -> Iterator[None]:
    """Within it code may name GPUs (``x.cuda()``) where there are none: nothing is put there.

    torch looks for them before any mode hears of the call.
    """
    if torch.cuda.is_available():
        yield
    else:
        with patched(torch.cuda, "_lazy_init", lambda: None):
            yield


@contextmanager
def batches_unchecked() -> Iterator[None]:
    """Within it a norm in training takes the statistics of one value, which torch refuses."""
    with patched(torch.nn.functional, "_verify_batch_size", lambda size: None):
        yield


@contextmanager
def masks_unread() -> Iterator[None]:
    """Within it nn.Transformer does not look into a mask for whether it is the causal one, which
    costs as much as another."""
    transformer: Any = torch.nn.modules.transformer
    detect = getattr(transformer, "_detect_is_causal_mask", None)

    def is_causal(mask: Tensor | None, causal: bool | None = None, size: int | None = None) -> bool:
        if detect is None or (mask is not None and mask.is_meta):
            return bool(causal)
        return bool(detect(mask, causal, size))

    with patched(transformer, "_detect_is_causal_mask", is_causal):
        yield


@contextmanager
def checks_hold() -> Iterator[None]:
    """Within it what code states of all elements of a tensor, for torch to check, is so."""
    check: Any = getattr(torch, "_check_tensor_all_with", None)

    def check_known(error: Any, condition: Tensor, *message: Any) -> None:
        if not condition.is_meta:
            check(error, condition, *message)

    with patched(torch, "_check_tensor_all_with", check_known):
        yield


@contextmanager
def not_compiled() -> Iterator[None]:
    """Within it what torch.compile was given runs as it was given."""
    stance: Any = getattr(torch.compiler, "set_stance", None)  # torch >= 2.6
    if stance is None or "torch._dynamo" not in sys.modules:
        yield
        return
    with warnings.catch_warnings(), stance("force_eager"):
        # That it is heard of twice when it is called.
        warnings.filterwarnings("ignore", "Using `torch.compile")
        yield


@contextmanager
def no_autocast(note: Callable[[str], None]) -> Iterator[None]:
    """Within it ``torch.autocast(x.device.type)`` does nothing for tensors without data, of whose
    device torch knows no dtype to cast to. ``note`` is told where it would have done something."""
    autocast: Any = torch.amp.autocast_mode.autocast
    init = autocast.__init__

    def init_of_meta(self: Any, device_type: str, *args: Any, **kwargs: Any) -> None:
        if args[1] if len(args) > 1 else kwargs.get("enabled", True):
            note("torch.autocast changes no dtypes")
        if device_type != "meta":
            init(self, device_type, *args, **kwargs)
        else:
            init(self, "cpu", enabled=False)

    with patched(autocast, "__init__", init_of_meta):
        yield
