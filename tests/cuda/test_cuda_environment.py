"""What a GPU and its driver say of themselves, as machines that have one said it."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from recorded import A100, P100, RTX_2080, SYNONYMS, WITH_UNITS

torch = pytest.importorskip("torch")

from archcost.measure import environment  # noqa: E402
from archcost.measure.records import MeasureError  # noqa: E402

# Answers what was recorded to any query, as `--format=csv,noheader,nounits` has it: a comma and a
# blank between values, [N/A] for what the GPU does not tell.
NVIDIA_SMI = """#!{python}
import sys
recorded, synonyms = {recorded!r}, {synonyms!r}
given = dict(word.lstrip("-").partition("=")[::2] for word in sys.argv[1:])
assert given["format"] == "csv,noheader,nounits", given
assert given["id"] in ("0", "GPU-ffc79498-8ff3-c2dc-3b0d-fafd804516ae"), given
names = [synonyms.get(name, name) for name in given["query-gpu"].split(",")]
print(", ".join(recorded.get(name, "[N/A]") for name in names))
"""


@pytest.fixture
def answering(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An nvidia-smi that tells of the recorded RTX 2080."""
    program = tmp_path / "nvidia-smi"
    program.write_text(
        NVIDIA_SMI.format(python=sys.executable, recorded=RTX_2080, synonyms=SYNONYMS)
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))


def plays(monkeypatch: pytest.MonkeyPatch, properties: SimpleNamespace) -> None:
    """Let torch see one GPU that has these ``properties``."""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(torch.version, "cuda", "12.4")
    for name, value in {
        "is_available": True,
        "device_count": 1,
        "current_device": 0,
        "get_device_properties": properties,
        "get_device_name": properties.name,
        "get_device_capability": (properties.major, properties.minor),
    }.items():
        monkeypatch.setattr(torch.cuda, name, lambda *_, value=value: value)


@pytest.mark.usefixtures("answering")
@pytest.mark.parametrize("properties", [A100, P100], ids=lambda one: one.name)
def test_driver_and_clocks_are_read(
    properties: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    plays(monkeypatch, properties)
    found = environment.Clocks(torch.device("cuda", 0)).read()
    assert found["driver"] == "440.64"
    assert found["sm_mhz"] == 1965
    assert found["memory_mhz"] == 7199
    assert found["watts"] == 176.98
    assert found["watts_limit"] == 200
    assert found["celsius"] == 45
    assert found["performance_state"] == "P2"
    assert "max_sm_mhz" not in found  # not told: not there


def test_units_that_nobody_asked_for_are_no_numbers() -> None:
    """A driver that prints units all the same: what it says is kept as text."""
    names = [SYNONYMS.get(name, name) for name in environment.QUERIED]
    found = environment.answers(", ".join(WITH_UNITS.get(name, "[N/A]") for name in names))
    assert found["sm_mhz"] == "1320 MHz"
    assert found["celsius"] == 56


@pytest.mark.parametrize("text", ["", "\n", "No devices were found\n", "a, b\n"])
def test_another_answer_tells_nothing(text: str) -> None:
    assert environment.answers(text) == {}


def test_without_nvidia_smi_nothing_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plays(monkeypatch, A100)
    monkeypatch.setenv("PATH", str(tmp_path))
    found = environment.Clocks(torch.device("cuda", 0)).read()
    assert not found.keys() & set(environment.QUERIED.values())


@pytest.mark.usefixtures("answering")
def test_of_several_gpus_only_a_known_one_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    for properties, known in ((A100, True), (P100, False)):
        plays(monkeypatch, properties)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
        assert ("driver" in environment.Clocks(torch.device("cuda", 0)).read()) == known


@pytest.mark.usefixtures("answering")
@pytest.mark.parametrize("properties", [A100, P100], ids=lambda one: one.name)
def test_the_device_is_described(
    properties: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    plays(monkeypatch, properties)
    monkeypatch.setattr(torch.backends.cudnn, "version", lambda: 90100)
    device = environment.check_device("cuda")
    assert device == torch.device("cuda", 0)
    found = environment.environment(device, environment.Clocks(device).read())
    assert (found.device, found.kind) == (properties.name, "gpu")
    assert found.memory_bytes == properties.total_memory
    assert found.capability == f"{properties.major}.{properties.minor}"
    assert (found.driver, found.cuda, found.cudnn) == ("440.64", "12.4", "90100")
    assert found.clocks["sm_mhz"] == 1965


@pytest.mark.parametrize("dtype", ["tf32", "bf16"])
def test_what_a_gpu_has_no_units_for_is_refused(
    dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    plays(monkeypatch, P100)
    device = environment.check_device("cuda:0")
    with pytest.raises(MeasureError, match="Tesla P100-PCIE-16GB has no units for") as raised:
        environment.check_dtype(dtype, device)
    assert raised.value.kind == "dtype"
    environment.check_dtype("fp16", device)
    plays(monkeypatch, A100)
    environment.check_dtype(dtype, device)


@pytest.mark.parametrize(
    ("device", "message"),
    [
        ("cuda:1", "there are: cuda:0"),
        ("cuda:", "no device"),
        ("cuda:x", "no device"),
        ("cuda:-1", "no device"),
        ("gpu", "no device"),
        ("cpu:1", "all cores are one"),
        ("", "no device"),
    ],
)
def test_another_device(device: str, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    plays(monkeypatch, A100)
    with pytest.raises(MeasureError, match=message) as raised:
        environment.check_device(device)
    assert raised.value.kind == "device"


def test_a_torch_without_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.version, "cuda", None)
    with pytest.raises(MeasureError, match="was built without it"):
        environment.check_device("cuda")
