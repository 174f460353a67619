"""What is asked of CUDA, and in which order: needs no device, since CUDA itself is played."""

from __future__ import annotations

from contextlib import nullcontext

import pytest
from recorded import ALSO_OUT_OF_MEMORY, OUT_OF_MEMORY

import archcost
from archcost.measure import passes, samples
from archcost.measure.layers import layer_seconds
from archcost.measure.passes import Settings, measure
from archcost.measure.records import MeasureError
from archcost.measure.timing import seconds

torch = pytest.importorskip("torch")


class Played:
    """CUDA as far as timing asks for it: work takes a second a step on a clock of its own."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.clock = 0.0
        self.waited_for = -1.0
        """The moment up to which the device is known to have finished."""

    def event(self, *, enable_timing: bool = False) -> object:
        assert enable_timing, "an event without timing has no time"
        played = self

        class Event:
            moment: float | None = None

            def record(self) -> None:
                played.said.append("record")
                self.moment = played.clock

            def elapsed_time(self, end: Event) -> float:
                assert self.moment is not None
                assert end.moment is not None
                assert end.moment <= played.waited_for, "read before the device was waited for"
                return 1e3 * (end.moment - self.moment)  # ms, as torch's own

        return Event()

    def synchronize(self, device: object = None) -> None:
        self.said.append("synchronize")
        self.waited_for = self.clock


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch) -> Played:
    played = Played()
    monkeypatch.setattr(torch.cuda, "Event", played.event)
    monkeypatch.setattr(torch.cuda, "synchronize", played.synchronize)
    monkeypatch.setattr(torch.cuda, "device", lambda _: nullcontext())
    # What torch's timer waits by, since 2.6 or so.
    if hasattr(torch, "accelerator"):
        monkeypatch.setattr(torch.accelerator, "is_available", lambda: True)
        monkeypatch.setattr(torch.accelerator, "synchronize", played.synchronize)
    return played


def test_layers_are_timed_by_events_between_them(played: Played) -> None:
    graph = archcost.load("lenet5")
    module = archcost.to_torch(graph).eval()
    for number, step in enumerate(module.steps):
        assert step.calls

        def call(*tensors: object, _of: object = step.calls[0], _number: int = number) -> object:
            played.said.append("work")
            played.clock += _number + 1
            return _of(*tensors)

        module.steps = (
            *module.steps[:number],
            step._replace(calls=(call, *step.calls[1:])),
            *module.steps[number + 1 :],
        )
    inputs = [torch.randn(graph.inputs[0].shape)]
    found = layer_seconds(graph, module, inputs, torch.device("cuda"), 0.0)
    assert [layer.name for layer in found] == [node.name for node in graph.nodes]
    # The first step took a second, the second two ...: no step has another's time.
    assert [layer.seconds for layer in found] == pytest.approx(range(1, len(found) + 1))
    # Nothing waits within a pass, which would count starting kernels; all is waited for at its end.
    one = ["record", *["work", "record"] * len(found), "synchronize"]
    passes, rest = divmod(len(played.said), len(one))
    assert rest == 0
    assert played.said == one * passes


def test_calibration_queues_a_pass_while_the_device_waits(
    played: Played, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "_sleep", lambda _: played.said.append("sleep"))
    graph = archcost.load("lenet5")
    module = archcost.to_torch(graph).eval()
    steps = []
    for number, step in enumerate(module.steps):

        def call(*tensors: object, _of: object = step.calls[0], _number: int = number) -> object:
            played.clock += _number + 1
            return _of(*tensors)

        steps.append(step._replace(calls=(call, *step.calls[1:])))
    module.steps = tuple(steps)
    with torch.inference_mode():
        seconds, issue = samples._on_gpu(module, [torch.randn(graph.inputs[0].shape)])
    # The first step took a second of the device's clock, the second two ..., and the host's hardly.
    assert seconds == pytest.approx(range(1, len(steps) + 1))
    assert issue is not None
    assert len(issue) == len(steps)
    assert all(0 < one < 1 for one in issue)
    one = ["sleep", *["record"] * (len(steps) + 1), "synchronize", "synchronize"]
    assert played.said == one * (len(played.said) // len(one))


def test_a_block_of_passes_has_waiting_on_both_sides(played: Played) -> None:
    found = seconds(lambda: played.said.append("work"), "cuda", 0.01)
    said = played.said
    assert said[0] == said[-1] == "synchronize"
    waits = [place for place, word in enumerate(said) if word == "synchronize"]
    assert len(waits) % 2 == 0
    # All work is between two waits; the last ones are the timed blocks, all alike.
    blocks = [end - begin - 1 for begin, end in zip(waits[::2], waits[1::2], strict=True)]
    assert sum(blocks) == said.count("work")
    assert blocks[-found.runs :] == [found.passes] * found.runs


def test_on_a_cpu_nothing_is_waited_for(played: Played) -> None:
    seconds(lambda: played.said.append("work"), "cpu", 0.01)
    assert set(played.said) == {"work"}


@pytest.mark.parametrize(
    "error",
    [
        *(torch.cuda.OutOfMemoryError(text) for text in OUT_OF_MEMORY),
        *(RuntimeError(text) for text in ALSO_OUT_OF_MEMORY),
    ],
    ids=lambda error: str(error)[:60],
)
def test_out_of_memory_is_known_by_what_torch_says(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def build(*_: object) -> None:
        raise error

    graph = archcost.load("lenet5")
    with monkeypatch.context() as patch:
        patch.setattr(passes, "to_torch", build)
        with pytest.raises(MeasureError) as raised:
            measure(graph, Settings())
    assert raised.value.kind == "out of memory"
    assert len(str(raised.value).splitlines()) == 1
    assert "CUDA" in str(raised.value)
    assert measure(graph, Settings(min_run_time=0.01)).failure is None  # the rest goes on


@pytest.mark.parametrize("dtype", ["fp32", "tf32", "bf16"])
@pytest.mark.parametrize("before", [(False, True), (True, False)], ids=str)
def test_tf32_is_allowed_for_tf32_alone_and_put_back(
    dtype: str, before: tuple[bool, bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    kept = matmul.allow_tf32, cudnn.allow_tf32
    monkeypatch.setattr(torch.cuda, "device", lambda _: nullcontext())
    graph = archcost.load("lenet5").with_dtype(dtype)

    def inside() -> None:
        with passes.ready(graph, Settings("cuda"), torch.device("cuda")):
            assert matmul.allow_tf32 == cudnn.allow_tf32 == (dtype == "tf32")
            raise MeasureError("other", "something fails")

    try:
        matmul.allow_tf32, cudnn.allow_tf32 = before
        with pytest.raises(MeasureError):
            inside()
        assert (matmul.allow_tf32, cudnn.allow_tf32) == before
    finally:
        matmul.allow_tf32, cudnn.allow_tf32 = kept
