"""Real forward passes on the CPU: settings, weights, failures, and what is told of them."""

from __future__ import annotations

import gc
import weakref
from functools import partial
from time import sleep
from types import SimpleNamespace

import pytest

import archcost
from archcost.ir import Graph, GraphBuilder, TensorType
from archcost.ir.ops import make
from archcost.measure import passes
from archcost.measure.layers import layer_seconds
from archcost.measure.passes import Settings, failed, fitted, measure, prepared
from archcost.measure.records import MeasureError, fingerprint

torch = pytest.importorskip("torch")

SHORT = 0.02


def chain(kind: str, count: int, **arguments: object) -> Graph:
    """``count`` convolutions with ``kind`` of activation between."""
    builder = GraphBuilder("chain")
    value = builder.input("x", TensorType((2, 4, 6, 6)))
    for number in range(count):
        conv = make("conv", out=4, kernel=3, padding=1, bias=False)
        (value,) = builder.add(conv, [value], f"conv{number}")
        (value,) = builder.add(make(kind, **arguments), [value], f"{kind}{number}")
    return builder.build({"y": value})


def test_a_measurement() -> None:
    graph = archcost.load("lenet5")
    settings = Settings(batch=3, min_run_time=SHORT)
    found = measure(graph, settings, command="archcost measure lenet5")
    totals = archcost.analyze(graph.with_batch(3)).totals
    assert (found.model, found.batch, found.dtype, found.device) == ("lenet5", 3, "fp32", "cpu")
    assert found.fingerprint == fingerprint(graph.with_batch(3))
    assert (found.params, found.macs, found.flops) == (totals.params, totals.macs, totals.flops)
    assert found.inputs == ((3, 1, 32, 32),)
    timing = found.timing
    assert timing.min <= timing.q1 <= timing.median <= timing.q3 <= timing.max
    assert timing.runs * timing.passes * timing.max >= SHORT
    assert found.failure is None
    assert found.layers is None
    assert found.command == "archcost measure lenet5"
    about = found.environment
    assert about.kind == "cpu"
    assert about.torch == torch.__version__
    assert about.archcost == archcost.__version__
    assert found.threads == about.threads == torch.get_num_threads()
    assert found.passes_seconds > 0
    assert found.measuring_seconds > 0
    assert found.build_seconds > 0


@pytest.mark.parametrize("dtype", ["fp64", "fp32", "bf16", "fp16"])
def test_dtypes_and_layouts(dtype: str) -> None:
    for last in (False, True):
        settings = Settings(dtype=dtype, channels_last=last, batch=2)
        module, (x,) = prepared(archcost.load("lenet5"), settings)
        wanted = {"fp64": torch.float64, "fp32": torch.float32}
        expected = wanted.get(dtype, torch.bfloat16 if dtype == "bf16" else torch.float16)
        assert x.dtype == expected
        with torch.inference_mode():
            y = module(x)
        assert y.dtype == expected
        assert torch.isfinite(y).all()
        assert not module.training
        assert not any(p.requires_grad for p in module.parameters())


def test_channels_last_is_the_layout_of_weights_and_inputs() -> None:
    module, (x,) = prepared(chain("relu", 2), Settings(channels_last=True))
    assert x.is_contiguous(memory_format=torch.channels_last)
    for part in module.modules():
        if isinstance(part, torch.nn.Conv2d):
            assert part.weight.is_contiguous(memory_format=torch.channels_last)


def test_weights_are_the_same_every_time_and_leave_other_random_numbers_alone() -> None:
    before = torch.random.get_rng_state()
    (one, (x,)), (other, (z,)) = (prepared(chain("relu", 2), Settings()) for _ in range(2))
    assert torch.equal(before, torch.random.get_rng_state())
    assert torch.equal(x, z)
    with torch.inference_mode():
        assert torch.equal(one(x), other(z))


@pytest.mark.parametrize("dtype", ["fp32", "fp16"])
@pytest.mark.parametrize(
    ("kind", "arguments"), [("relu", {}), ("tanh", {}), ("batch_norm", {})], ids=str
)
def test_numbers_neither_grow_nor_vanish(
    kind: str, arguments: dict[str, object], dtype: str
) -> None:
    module, (x,) = prepared(chain(kind, 60, **arguments), Settings(dtype=dtype))
    deviations = []
    with torch.inference_mode():
        module.watched(lambda step, made: deviations.append(float(made[0].float().std())), x)
    assert min(deviations) > 0.1
    assert max(deviations) < 3


def test_residual_networks_hold_in_fp16() -> None:
    module, (x,) = prepared(archcost.load("resnet110"), Settings(dtype="fp16"))
    largest = []
    with torch.inference_mode():
        module.watched(lambda step, made: largest.append(float(made[0].abs().max())), x)
    assert max(largest) < 1000  # of 65504


def test_a_network_is_freed_without_the_garbage_collector() -> None:
    prepared(chain("relu", 1), Settings())  # torch loads what it needs
    gc.collect()
    gc.disable()
    try:
        module, inputs = prepared(chain("relu", 2), Settings())
        measured = weakref.ref(module)
        with torch.inference_mode():
            module(*inputs)
        del module
        assert measured() is None
    finally:
        gc.enable()


def test_threads_are_put_back() -> None:
    before = torch.get_num_threads()
    found = measure(archcost.load("lenet5"), Settings(threads=1, min_run_time=SHORT))
    assert found.threads == found.environment.threads == 1
    assert torch.get_num_threads() == before


def test_layers() -> None:
    graph = archcost.load("lenet5")
    found = measure(graph, Settings(layers=True, min_run_time=SHORT))
    assert [layer.name for layer in found.layers] == [node.name for node in graph.nodes]
    assert [layer.op for layer in found.layers] == [node.op.kind for node in graph.nodes]
    assert all(layer.q1 <= layer.seconds <= layer.q3 for layer in found.layers)


def test_a_layer_that_takes_long_is_the_one() -> None:
    graph = chain("relu", 3)
    module, inputs = prepared(graph, Settings())
    slow = module.steps[2]

    def call(x: object) -> object:
        sleep(0.005)
        return slow.calls[0](x)

    module.steps = (*module.steps[:2], slow._replace(calls=(call,)), *module.steps[3:])
    found = layer_seconds(graph, module, inputs, torch.device("cpu"), 0.0)
    longest = max(found, key=lambda layer: layer.seconds)
    assert longest.name == graph.nodes[2].name
    assert longest.seconds >= 0.005


def test_a_long_pass_is_repeated_often_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    def call(x: object) -> object:
        sleep(0.02)
        return x

    with_last(call, monkeypatch)
    found = measure(chain("relu", 1), Settings(min_run_time=1e-6))
    assert found.timing.passes == 1
    assert 4 <= found.timing.runs <= 10


def test_compiled_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    # Without a C++ compiler, and more networks than torch compiles versions of one function.
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="eager"))
    torch._dynamo.utils.counters.clear()
    for count in range(1, 11):
        found = measure(chain("relu", count), Settings(compile=True, min_run_time=1e-6))
        assert found.compiled
        assert found.compile_seconds > found.seconds
        assert torch._dynamo.utils.counters["stats"]["unique_graphs"] == count  # one each


def test_a_compiler_that_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    def backend(*_: object) -> None:
        raise KeyError("no compiler")

    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend=backend))
    error = refusal(chain("relu", 1), Settings(compile=True))
    assert error.kind == "compile"
    assert "no compiler" in str(error)


# --- failures ------------------------------------------------------------------------------------


def refusal(graph: Graph, settings: Settings) -> MeasureError:
    with pytest.raises(MeasureError) as raised:
        measure(graph, settings)
    assert len(str(raised.value).splitlines()) == 1
    assert raised.value.__context__ is None  # nothing keeps the network
    return raised.value


def test_no_cuda() -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device")
    error = refusal(archcost.load("lenet5"), Settings(device="cuda"))
    assert error.kind == "device"
    assert "CUDA" in str(error)


@pytest.mark.parametrize("device", ["", "gpu", "cuda:x", "cpu:1", "CPU", "cuda:-1"])
def test_devices_that_there_are_not(device: str) -> None:
    assert refusal(archcost.load("lenet5"), Settings(device=device)).kind == "device"


@pytest.mark.parametrize("dtype", ["tf32", "fp8"])
def test_dtypes_that_a_cpu_has_not(dtype: str) -> None:
    error = refusal(archcost.load("lenet5"), Settings(dtype=dtype))
    assert error.kind == "dtype"
    assert dtype in str(error)


def test_a_kernel_that_lacks_a_dtype(monkeypatch: pytest.MonkeyPatch) -> None:
    # torch's own words for it.
    def call(x: object) -> object:
        raise RuntimeError("\"avg_pool2d_out_frame\" not implemented for 'Half'")

    error = broken(call, monkeypatch)
    assert error.kind == "dtype"
    assert "avg_pool2d" in str(error)


def test_outputs_that_are_not_finite(monkeypatch: pytest.MonkeyPatch) -> None:
    error = broken(lambda x: x / 0, monkeypatch)
    assert error.kind == "not finite"
    assert "288 of 288 numbers of output 'relu0' are not finite in fp32" in str(error)


def test_memory_that_is_too_small_for_the_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passes, "available_bytes", lambda: 100_000)
    error = refusal(archcost.load("lenet5"), Settings())
    assert error.kind == "out of memory"
    monkeypatch.setattr(passes, "available_bytes", lambda: None)  # nobody knows: it is tried
    assert measure(archcost.load("lenet5"), Settings(min_run_time=SHORT)).timing


def test_memory_that_the_allocator_does_not_get() -> None:
    def call(x: object) -> object:
        return torch.empty(2**60, dtype=torch.uint8)  # really asked for

    graph = chain("relu", 1)
    with pytest.MonkeyPatch.context() as patch:
        assert broken(call, patch).kind == "out of memory"
    assert measure(graph, Settings(min_run_time=SHORT)).timing  # the rest goes on


def broken(call: object, monkeypatch: pytest.MonkeyPatch) -> MeasureError:
    """What is said where the last operator of a small network is ``call``."""
    with_last(call, monkeypatch)
    return refusal(chain("relu", 1), Settings(min_run_time=SHORT))


def with_last(call: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let networks be built whose last operator is ``call``."""

    def build(graph: Graph) -> object:
        module = archcost.to_torch(graph)
        *others, last = module.steps
        module.steps = (*others, last._replace(calls=(call,)))
        return module

    monkeypatch.setattr(passes, "to_torch", build)


def test_what_torch_cannot_execute() -> None:
    def unknown(*_: object) -> object:
        raise archcost.TargetError(SimpleNamespace(source=None, name="n"), "no counterpart")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passes, "to_torch", unknown)
        error = refusal(chain("relu", 1), Settings())
    assert error.kind == "operator"
    assert "no counterpart" in str(error)


def test_a_failure_has_a_record() -> None:
    graph = archcost.load("lenet5")
    settings = Settings(device="cuda:99", dtype="tf32", batch=8)
    found = failed(graph, settings, MeasureError("device", "none"), command="archcost measure x")
    assert found.timing is None
    assert (found.failure, found.failure_kind) == ("none", "device")
    assert (found.device, found.dtype, found.batch) == ("cuda:99", "tf32", 8)
    assert found.macs == 8 * archcost.analyze(graph).totals.macs
    here = failed(graph, Settings(dtype="tf32"), MeasureError("dtype", "none"))
    assert here.environment.kind == "cpu"


def test_fitted() -> None:
    graph = archcost.load("lenet5")
    assert fitted(graph, Settings()) is graph
    assert fitted(graph, Settings(batch=1, dtype="fp32")) is graph
    other = fitted(graph, Settings(batch=4, dtype="bf16"))
    assert (other.batch, other.dtype) == (4, "bf16")
