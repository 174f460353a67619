"""PyTorch models by path, ``package.module:factory`` and ``file.py:Net``: what is found, how it is
built, and what is said where it is not. A model too large for memory is read without any."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import Result
from command_line import call

import archcost
from archcost.analysis import analyze
from archcost.ir import ArchcostError, Graph
from archcost.sources import SourceError
from archcost.sources.errors import FactoryError
from archcost.sources.torch.factory import build, is_path

MODELS = '''
"""Models in all the forms that a path may name."""
import os, sys
from pathlib import Path
import numpy as np
import torch
from torch import nn

print("imported")


class Net(nn.Module):
    def __init__(self, width=4, *, bias=True):
        super().__init__()
        self.conv = nn.Conv2d(3, width, 3, bias=bias)

    def forward(self, x):
        print("called")
        return self.conv(x).relu()


def factory(width=4):
    print("made")
    return Net(width)


def several():
    return Net(), "transform", 3


def with_gpu():
    device = torch.device("cuda")
    net = Net().cuda().to("cuda:0").to(device)
    net.add = nn.Linear(2, 2, device="cuda")
    net.add.weight.data = torch.ones(2, 2, device=device)
    del net.add
    return net


instance = Net(5)
alike = type("Alike", (), {"Inner": Net})
number = 3


def nothing():
    pass


def fails(width):
    if width:
        raise ValueError("no such width")


def needs(channels, classes):
    return Net()


# --- those that need real numbers

def from_numpy():
    net = Net()
    net.register_buffer("table", torch.from_numpy(np.linspace(0, 1, 7).astype("float32")))
    return net


def rates(count=3):
    net = Net()
    net.rates = [float(rate) for rate in torch.linspace(0, 0.1, count)]
    net.drop = nn.Dropout(torch.linspace(0, 0.5, 3)[-1].item())
    return net


def to_numpy():
    net = Net(8)
    net.norm = float(np.abs(net.conv.weight.detach().numpy()).sum())
    return net


def inverse():
    net = Net()
    matrix = torch.randn(3, 3)
    matrix = torch.linalg.inv(matrix @ matrix.T + torch.eye(3))
    net.scale = matrix.diagonal().sum().item()
    return net


def loads():
    net = Net()
    path = Path(__file__).with_name("weights.pt")
    torch.save(net.state_dict(), path)
    net.load_state_dict(torch.load(path, weights_only=True))
    return net


def half():
    return Net().half()


def random_until():
    net = Net()
    while net.conv.weight.abs().max() > 10:
        nn.init.normal_(net.conv.weight)
    return net


def orthogonal():
    net = Net()
    nn.init.orthogonal_(net.conv.weight)
    nn.init.trunc_normal_(net.conv.bias, std=0.02)
    return net
'''


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    (folder / "nets.py").write_text(MODELS)
    package = folder / "my_package_of_nets"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "small.py").write_text("from .parts import Net\n\n\ndef net():\n    return Net()\n")
    (package / "parts.py").write_text(
        "from torch import nn\n\n\nclass Net(nn.Linear):\n"
        "    def __init__(self):\n        super().__init__(4, 5)\n"
    )
    return folder


@pytest.fixture
def inside(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """In the folder of the models, whose modules are forgotten afterwards."""
    monkeypatch.chdir(folder)
    before = set(sys.modules)
    yield folder
    for name in set(sys.modules) - before:
        if name.startswith("my_package_of_nets"):
            del sys.modules[name]


def load(path: Path, name: str, **arguments: Any) -> Graph:
    return archcost.load(f"{path / 'nets.py'}:{name}", inputs="3x8x8", **arguments)


def params(graph: Graph) -> int:
    return analyze(graph).totals.params


@pytest.mark.parametrize(
    "text",
    ["package.module:factory", "file.py:Net", "dir/file.py:Net", "FILE.PY:net", "m:Outer.Inner"],
)
def test_paths(text: str) -> None:
    assert is_path(text)


@pytest.mark.parametrize(
    "text",
    ["resnet50", "a:b-c", "a-b:c", "file.py", "a/b:c", ":c", "a:", "a:1"],
)
def test_what_is_no_path(text: str) -> None:
    assert not is_path(text)


@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("Net", None, 112),
        ("Net", {"width": 8}, 224),
        ("Net", {"width": 8, "bias": False}, 216),
        ("factory", None, 112),
        ("factory", {"width": 2}, 56),
        ("several", None, 112),
        ("instance", None, 140),
        ("alike.Inner", None, 112),
        ("with_gpu", None, 112),
    ],
)
def test_what_a_path_may_name(
    folder: Path, name: str, arguments: dict[str, Any] | None, expected: int
) -> None:
    graph = load(folder, name, arguments=arguments)
    assert params(graph) == expected
    assert graph.name == name.rpartition(".")[2]


@pytest.mark.parametrize(
    "name",
    [
        *("from_numpy", "rates", "to_numpy", "inverse", "loads", "half"),
        *("random_until", "orthogonal"),
    ],
)
def test_factories_that_need_numbers(folder: Path, name: str) -> None:
    graph = load(folder, name)
    assert params(graph) == (224 if name == "to_numpy" else 112)
    assert analyze(graph).totals.buffers == (7 if name == "from_numpy" else 0)


def test_factories_are_built_without_numbers_where_they_can(folder: Path) -> None:
    for name in ("Net", "rates", "half", "orthogonal", "from_numpy"):
        module = build(f"{folder / 'nets.py'}:{name}")
        assert module.conv.weight.is_meta, name
    assert not build(f"{folder / 'nets.py'}:to_numpy").conv.weight.is_meta
    assert not build(f"{folder / 'nets.py'}:instance").conv.weight.is_meta


def test_modules_of_a_package_here(inside: Path) -> None:
    graph = archcost.load("my_package_of_nets.small:net", inputs="4")
    assert params(graph) == 25
    assert params(archcost.load("my_package_of_nets.parts:Net", inputs="4")) == 25
    assert params(archcost.load("nets:Net", inputs="3x8x8")) == 112
    del sys.modules["nets"]


def test_modules_that_are_installed() -> None:
    graph = archcost.load(
        "torch.nn:Linear", inputs="4", arguments={"in_features": 4, "out_features": 2}
    )
    assert params(graph) == 10


def test_nothing_is_left_behind(folder: Path) -> None:
    path, modules = list(sys.path), set(sys.modules)
    load(folder, "Net")
    with pytest.raises(FactoryError):
        load(folder, "nothing")
    assert sys.path == path
    assert "nets" not in set(sys.modules) - modules
    assert torch.is_grad_enabled()
    assert not torch.ones(2).is_meta


# --- mistakes ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("factry", None, r"nets has no 'factry'; did you mean 'factory'\?"),
        ("alike.Iner", None, r"has no 'Iner'; did you mean 'Inner'\?"),
        ("number", None, r"nets.py:number is an object of type int, neither a module nor what"),
        ("nothing", None, r"nothing gives nothing \(None\), not a torch.nn.Module"),
        ("needs", None, r"needs\(\) fails: TypeError: needs\(\) missing 2 required positional"),
        (
            "fails",
            {"width": 3},
            r"fails\(width=3\) fails: ValueError: no such width\n  at .*nets.py",
        ),
        ("instance", {"width": 3}, r"instance is a module already and takes no arguments"),
        (
            "Net",
            {"wide": 3},
            r"Net\(wide=3\) fails: TypeError: .*unexpected keyword argument 'wide'",
        ),
    ],
)
def test_factories_that_fail(
    folder: Path, name: str, arguments: dict[str, Any] | None, message: str
) -> None:
    with pytest.raises(FactoryError, match=message):
        load(folder, name, arguments=arguments)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("import nowhere_at_all", "ModuleNotFoundError: No module named 'nowhere_at_all'"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("def (", "SyntaxError"),
        ("import sys\nsys.exit(2)", "SystemExit: 2"),
    ],
)
def test_files_that_cannot_be_imported(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "broken.py"
    path.write_text(text)
    with pytest.raises(FactoryError, match=f"importing {path} fails: {message}"):
        archcost.load(f"{path}:Net", inputs="4")


def test_modules_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(FactoryError, match="no file '.*nothing.py'"):
        archcost.load(f"{tmp_path / 'nothing.py'}:Net", inputs="4")
    with pytest.raises(FactoryError, match="no Python module 'nowhere', here or installed"):
        archcost.load("nowhere:Net", inputs="4")
    with pytest.raises(FactoryError, match="no Python module 'torch.nowhere'"):
        archcost.load("torch.nowhere:Net", inputs="4")


@pytest.mark.parametrize("name", ["net.pt", "net.pth", "a/net.ckpt", "net.safetensors"])
def test_weights_are_not_opened(name: str) -> None:
    with pytest.raises(SourceError, match="holds weights, maybe pickled, and is not opened; name"):
        archcost.load(name)


def test_settings_are_not_for_factories(folder: Path) -> None:
    with pytest.raises(SourceError, match="takes arguments, not settings"):
        load(folder, "Net", settings={"width": 3})
    with pytest.raises(SourceError, match="only a PyTorch factory takes arguments"):
        archcost.load("lenet5", arguments={"width": 3})


# --- the command line --------------------------------------------------------------------------


def report(*arguments: str) -> Result:
    return call("report", *arguments, "--format", "json")


def test_report(folder: Path) -> None:
    result = report(f"{folder / 'nets.py'}:factory", "--input", "3x8x8", "--batch", "2")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["totals"]["params"] == 112
    # What the code prints is no data.
    assert result.stderr.splitlines()[:2] == ["imported", "made"]
    assert "called" not in result.stdout


def test_report_with_arguments(folder: Path) -> None:
    path = f"{folder / 'nets.py'}:Net"
    result = report(path, "--input", "3x8x8", "--arg", "width=8", "--arg", "bias=false")
    assert json.loads(result.stdout)["totals"]["params"] == 216
    result = report(path, "--input", "x=3x8x8:fp16", "--arg", "width=8")
    assert result.exit_code == 2  # the weights are fp32
    result = report(path, "--input", "2x3x8x8", "--batch", "none")
    assert result.exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("Net",), "Net does not say what it is fed with"),
        (("Net", "--input", "4x8x8"), "Net fails in conv (Conv2d) on 1x4x8x8"),
        (("missing", "--input", "3x8x8"), "nets has no 'missing'"),
        (("needs", "--input", "3x8x8"), "missing 2 required positional arguments"),
        (("Net", "--input", "3x8x8", "--set", "width=3"), "takes arguments, not settings"),
        (("Net", "--input", "3x8x8", "--arg", "width"), "expected KEY=VALUE"),
        (("Net", "--input", "threexeight"), "is no shape"),
        (("number",), "neither a module nor what makes one"),
    ],
)
def test_mistakes_get_one_message(folder: Path, arguments: tuple[str, ...], message: str) -> None:
    name, *rest = arguments
    result = report(f"{folder / 'nets.py'}:{name}", *rest)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert message in result.stderr
    assert "Traceback" not in result.stderr
    assert result.stderr.count("Error: ") <= 1 + result.stderr.count("TypeError: ")


# --- safety ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "model",
    [
        *("trap", "trap.inner", "trap.py", "./trap.py", "trap:", ":trap", "trap:1", "./trap:Net"),
        *("trap::Net", "trap:a b", "trap .inner:Net"),
        *(f"trap{end}" for end in (".yml", ".yaml", ".onnx", ".json", ".prototxt", ".pt")),
        *(f"trap{end}:Net" for end in (".yml", ".YAML", ".onnx", ".json", ".prototxt")),
        *(f"trap{end}:Net" for end in (".pt", ".PTH", ".ckpt", ".bin", ".pkl", ".safetensors")),
        "trap.txt:Net",  # which is there
    ],
)
def test_only_a_path_to_an_object_of_python_runs_code(
    model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "trap.py").write_text("raise KeyboardInterrupt('this code was run')")
    (tmp_path / "trap.txt").write_text("no Python")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ArchcostError) as caught:
        archcost.load(model)
    assert not isinstance(caught.value, FactoryError)
    with pytest.raises(KeyboardInterrupt, match="this code was run"):
        archcost.load("trap:Net")


def test_what_the_building_of_a_model_assumes_is_said(tmp_path: Path) -> None:
    path = tmp_path / "drawn.py"
    path.write_text(
        "import torch\nfrom torch import nn\n\n\nclass Net(nn.Linear):\n"
        "    def __init__(self):\n        super().__init__(4, 5)\n"
        "        while (self.weight > 2).any():\n            nn.init.normal_(self.weight)\n"
    )
    graph = archcost.load(f"{path}:Net", inputs="4")
    assert graph.metadata["assumptions"] == [
        "building the model, what is asked of the values of weights is not so (at drawn.py:8)"
    ]


# --- memory ------------------------------------------------------------------------------------

LARGE = '''
import torch
from torch import nn

class Large(nn.Module):
    """A language model of seven billion parameters."""
    def __init__(self, width=4096, depth=34):
        super().__init__()
        self.embed = nn.Embedding(32000, width)
        layer = nn.TransformerEncoderLayer(width, 32, 4 * width, batch_first=True, norm_first=True)
        self.layers = nn.TransformerEncoder(layer, depth, enable_nested_tensor=False)
        self.head = nn.Linear(width, 32000, bias=False)

    def forward(self, tokens):
        return self.head(self.layers(self.embed(tokens)))
'''
CHILD = """
import pathlib, re, resource, sys
import archcost
graph = archcost.load(sys.argv[1], inputs="2048:int64")
totals = archcost.analyze(graph).totals
status = pathlib.Path("/proc/self/status")
if status.exists():  # of this program alone: ru_maxrss knows of the one that started it too
    used = 1024 * int(re.search(r"VmHWM:\\s+([0-9]+) kB", status.read_text())[1])
else:
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    used *= 1 if sys.platform == "darwin" else 1024
print(totals.params, totals.macs, used)
"""


def test_seven_billion_parameters_take_less_than_a_gigabyte(tmp_path: Path) -> None:
    path = tmp_path / "large.py"
    path.write_text(LARGE)
    command = [sys.executable, "-c", CHILD, f"{path}:Large"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    stored, macs, used = map(int, done.stdout.split())
    width, depth, tokens = 4096, 34, 2048
    layer = 12 * width**2 + 13 * width  # four projections, the feed-forward of 4, biases, norms
    assert stored == depth * layer + 2 * 32000 * width > 7e9
    products = 12 * width**2 * tokens + 2 * tokens**2 * width
    assert macs == depth * products + 32000 * width * tokens
    assert used < 1e9, f"{used / 1e6:.0f} MB"


def test_a_factory_s_name_and_what_it_makes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "nets.py").write_text(
        "from torch import nn\n\n\ndef tiny():\n    return nn.Linear(3, 4)\n"
    )
    monkeypatch.chdir(tmp_path)
    graph = archcost.load("nets.py:tiny", inputs=(3,))
    assert (graph.name, graph.metadata["title"]) == ("tiny", "Linear")
