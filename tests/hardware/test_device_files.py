"""Device files: those that come with archcost, reading anybody's, and writing them."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

import archcost.hardware.files as files
from archcost.hardware.costs import ANY, Costs, coefficient_names
from archcost.hardware.device import KINDS, PEAKS, Cache, Device, DeviceError, Source
from archcost.hardware.files import aliases, devices, dump, find, load, names
from archcost.hardware.quantity import BANDWIDTH, SPEED, quantity
from archcost.hardware.reading import parse
from archcost.ir import FLOATS
from archcost.report import render
from archcost.report.devices import devices_table
from archcost.sources.zoo import squashed

FOLDER = Path(files.__file__).parent
MINIMAL = """\
name: box
title: A box
kind: cpu
units: 4 cores
clock: 2 GHz
peak: {fp32: units * clock * 16 FLOP/cycle}
bandwidth: 20 GB/s
memory: 8 GiB
overhead: 2 us
"""
each_device = pytest.mark.parametrize("device", devices(), ids=lambda device: device.name)


def refused(text: str) -> str:
    with pytest.raises(DeviceError) as caught:
        parse(text, "box.yaml")
    return str(caught.value)


# --- those that come with archcost --------------------------------------------------------------


def test_what_was_promised_is_there() -> None:
    """The devices that the guide and published benchmarks speak of, by what people call them."""
    wanted = (
        *("GTX 980", "GTX Titan X", "Titan X Pascal", "Titan Xp", "GTX 1080", "GTX 1080 Ti"),
        *("Tesla M40", "K80", "P100", "P100 PCIe", "V100", "V100 PCIe", "T4"),
        *("A100-SXM4-40GB", "A100-SXM4-80GB", "A100-PCIE-40GB", "NVIDIA A100 80GB PCIe"),
        *("H100 SXM", "H100 PCIe", "H200", "RTX 3090", "RTX 4090", "RTX 5090", "RTX PRO 6000"),
        *("i9-10940X", "i7-12700H", "Raspberry Pi 4", "Raspberry Pi 3", "Snapdragon 855"),
        *("Jetson Nano", "Jetson Orin Nano", "Jetson AGX Orin", "rtx3090"),
    )
    for name in wanted:
        assert isinstance(find(name), Device)


@each_device
def test_a_file_is_called_by_its_device(device: Device) -> None:
    assert load(FOLDER / f"{device.name}.yaml") == device


def test_no_two_devices_have_one_name() -> None:
    called = [squashed(name) for device in devices() for name in (device.name, *device.aliases)]
    assert len(called) == len(set(called))
    for device in devices():
        for name in (device.name, device.title, *device.aliases):
            assert find(name) is find(device.name)


@each_device
def test_every_figure_has_a_source(device: Device) -> None:
    figures = {"units", "bandwidth", "memory", "overhead", *(f"peak.{d}" for d in device.peak)}
    figures |= {f"caches.{cache.name}" for cache in device.caches}
    figures |= {"clock"} if device.clock is not None else set()
    figures |= {"power"} if device.power is not None else set()
    assert set(device.sources) == figures
    for name, source in device.sources.items():
        assert source.title, name
        assert source.url.startswith("http"), name


@each_device
def test_every_source_of_a_file_is_used(device: Device) -> None:
    text = (FOLDER / f"{device.name}.yaml").read_text()
    given_, used = yaml.safe_load(text)["sources"], set(re.findall(r"source: (\w+)", text))
    assert set(given_) == used


@each_device
def test_figures_are_plausible(device: Device) -> None:
    assert device.year is not None
    assert device.chip
    assert set(device.peak) <= set(PEAKS)
    assert {"fp64", "fp32"} <= set(device.peak)
    assert device.peak["fp64"] <= device.peak["fp32"]
    assert 1e-7 < device.overhead < 1e-4
    sizes = [cache.bytes * (1 if cache.shared else device.units) for cache in device.caches]
    assert all(size < device.memory for size in sizes)
    ridge = device.ridge("fp32")
    assert ridge is not None
    assert 1 < ridge < 500
    assert device.ridge("nothing") is None


@each_device
def test_what_the_maker_prints_is_what_the_factors_give(device: Device) -> None:
    """To one in the last digit that is printed: makers round, or cut off."""
    for name, source in device.sources.items():
        if not source.printed:
            continue
        kind, _, dtype = name.partition(".")
        computed = device.peak[dtype] if kind == "peak" else getattr(device, kind)
        dimension = SPEED if kind == "peak" else BANDWIDTH
        number, _, unit = source.printed.partition(" ")
        _, _, decimals = number.partition(".")
        last = quantity(
            f"{'0.' + '0' * (len(decimals) - 1) if decimals else ''}1 {unit}", dimension
        )
        assert abs(computed - quantity(source.printed, dimension)) <= last, name


@each_device
def test_peaks_come_from_factors(device: Device) -> None:
    """A peak is units x clock x operations a cycle, not a number somebody typed in."""
    for dtype in device.peak:
        formula = device.sources[f"peak.{dtype}"].formula
        assert "/cycle" in formula
        assert "units" in formula or "cores" in formula


# Multiply-adds of fp16 with fp32 accumulation that an SM's tensor cores do in a cycle; of GeForce
# cards they are half of what their whitepapers print for fp16 accumulation.
@pytest.mark.parametrize(
    ("name", "multiply_adds"),
    [
        *(("v100", 8 * 64), ("t4", 8 * 64), ("rtx-2080-ti", 8 * 64 // 2), ("a100", 4 * 256)),
        *(("h100", 4 * 512), ("h100-pcie", 4 * 512), ("rtx-3090", 4 * 128 // 2)),
        *(("rtx-4090", 4 * 128 // 2), ("rtx-5090", 4 * 128 // 2), ("rtx-pro-6000", 4 * 128)),
    ],
)
def test_tensor_cores(name: str, multiply_adds: int) -> None:
    device = find(name)
    clock = device.clock
    if match := re.search(r"([0-9]+) MHz", device.sources["peak.fp16"].formula):
        clock = float(match[1]) * 1e6  # Hopper's tensor cores are clocked lower
    assert clock is not None
    assert device.peak["fp16"] == pytest.approx(device.units * clock * 2 * multiply_adds)
    if "bf16" in device.peak:
        assert device.peak["bf16"] == device.peak["fp16"]
        assert device.peak["tf32"] == device.peak["fp16"] / 2
    if "fp8" in device.peak:
        assert device.peak["fp8"] == 2 * device.peak["fp16"]


# What makers print of something of which the device is half: a board with two GPUs, and rates with
# structured sparsity, which are twice the dense ones.
@pytest.mark.parametrize(
    ("name", "dtype", "printed"),
    [
        *(("k80", "fp32", 8.74e12), ("k80", "fp64", 2.91e12)),
        *(("jetson-agx-orin", "int8", 170e12), ("jetson-orin-nano", "int8", 40e12)),
        *(("h100", "fp8", 3957.8e12), ("h200", "bf16", 1979e12), ("a100", "fp16", 624e12)),
        *(("rtx-3090", "int8", 568e12), ("rtx-4090", "fp8", 660.6e12)),
    ],
)
def test_halves_of_what_is_printed(name: str, dtype: str, printed: float) -> None:
    assert find(name).peak[dtype] == pytest.approx(printed / 2, rel=0.025)


def test_boards_of_one_chip_differ_in_memory_and_clock_only() -> None:
    assert find("h200").peak == find("h100").peak
    assert find("v100-32gb").peak == find("v100-16gb").peak
    assert find("a100-80gb").peak == find("a100-pcie-40gb").peak
    assert find("h200").bandwidth > find("h100").bandwidth


def test_peaks_are_those_of_dtypes_that_networks_have() -> None:
    assert set(PEAKS) - set(FLOATS) == {"int8"}


def test_order() -> None:
    kinds = [KINDS.index(device.kind) for device in devices()]
    assert kinds == sorted(kinds)
    assert sorted(names()) == sorted(device.name for device in devices())
    assert "Tesla K80" in aliases()


# --- finding ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("rtx3090", "rtx-3090"),
        ("RTX 3090", "rtx-3090"),
        ("NVIDIA GeForce RTX 3090", "rtx-3090"),
        ("Tesla V100-SXM2-16GB", "v100-16gb"),
        ("NVIDIA A100-SXM4-40GB", "a100-40gb"),
        ("NVIDIA H100 80GB HBM3", "h100"),
        ("NVIDIA TITAN X (Pascal)", "titan-x-pascal"),
        ("GeForce GTX TITAN X", "titan-x-maxwell"),
        ("pixel 4", "snapdragon-855"),
    ],
)
def test_names_are_compared_loosely(text: str, name: str) -> None:
    assert find(text).name == name


def test_finding_parses_one_file(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[Path] = []
    monkeypatch.setattr(files, "load", lambda path: read.append(path) or load(path))
    files._shipped.cache_clear()
    find("rtx3090")
    find("GeForce GTX 1080 Ti")
    assert [path.stem for path in read] == ["rtx-3090", "gtx-1080-ti"]
    files._shipped.cache_clear()


@pytest.mark.parametrize("text", ["", " ", "nvidia", "x" * 10_000, "\x00", "../../etc/passwd"])
def test_there_is_no_such_device(text: str) -> None:
    with pytest.raises(DeviceError, match="no device"):
        find(text)


def test_the_nearest_name_is_suggested() -> None:
    with pytest.raises(DeviceError, match="did you mean 'rtx-3090'"):
        find("rtx-3091")


def test_a_file_is_found_by_its_path(tmp_path: Path) -> None:
    path = tmp_path / "box.yaml"
    path.write_text(MINIMAL)
    assert find(str(path)).title == "A box"
    with pytest.raises(DeviceError, match="nothere.yaml: cannot be read: No such file"):
        find(str(tmp_path / "nothere.yaml"))
    with pytest.raises(DeviceError, match="cannot be read: Is a directory"):
        load(tmp_path)


# --- reading ------------------------------------------------------------------------------------


def test_a_minimal_file() -> None:
    device = parse(MINIMAL, "box.yaml")
    assert device == Device(
        name="box",
        title="A box",
        kind="cpu",
        peak={"fp32": 128e9},
        bandwidth=20e9,
        memory=8 * 2**30,
        overhead=2e-6,
        units=4,
        clock=2e9,
        sources={"peak.fp32": Source("", formula="units * clock * 16 FLOP/cycle")},
    )
    assert device.ridge("fp32") == 6.4


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("kind: cpu", "kind: tpu", "box.yaml:3:7: expected one of gpu, cpu, found 'tpu'"),
        ("name: box", "name: a b", "box.yaml:1:7: 'a b' is no name"),
        ("memory: 8 GiB\n", "", "box.yaml:1:1: a device needs memory"),
        ("memory:", "memorry:", "box.yaml:8:1: a device has no 'memorry'; did you mean 'memory'?"),
        ("8 GiB", "8 GB/s", "box.yaml:8:9: expected bytes, like 24 GiB, found B/s"),
        ("8 GiB", "0.3 B", "box.yaml:8:9: memory: expected a whole number"),
        ("8 GiB", "0", "box.yaml:8:9: '0' is out of range"),
        ("8 GiB", "1e30", "box.yaml:8:9: '1e30' is out of range"),
        ("8 GiB", ".inf", "box.yaml:8:9: '.inf' is no number, unit or sign"),
        ("8 GiB", "[8]", "box.yaml:8:9: expected a text, found a list"),
        ("8 GiB", "{value: 8 GiB, source: me}", "box.yaml:8:32: no source 'me' in sources"),
        ("8 GiB", "{source: me}", "box.yaml:8:9: memory needs a value"),
        ("8 GiB", "{vale: 8 GiB}", "memory has no 'vale'; did you mean 'value'?"),
        ("8 GiB", "{value: 8 GiB, printed: 8 W}", "expected bytes, like 24 GiB, found W"),
        ("fp32", "fp33", "box.yaml:6:8: peak has no 'fp33'; did you mean 'fp32'?"),
        ("{fp32: units * clock * 16 FLOP/cycle}", "{}", "FLOP/s of at least one dtype"),
        ("clock: 2 GHz", "clock: units", "box.yaml:5:8: expected a clock, like 1695 MHz"),
        ("clock: 2 GHz\n", "", "'clock' is no name (units)"),
        (
            "clock: 2 GHz",
            "clock: 2 GHz\nyear: 20100",
            "box.yaml:6:7: expected a year, found '20100'",
        ),
        (
            "clock: 2 GHz",
            "clock: 2 GHz\ncaches: {L1: {value: 32 KiB, shared: 1}}",
            "expected true or false",
        ),
        (
            "clock: 2 GHz",
            "clock: 2 GHz\nsources: {me: {title: x, url: 'file:///x'}}",
            "no https:// address",
        ),
        (
            "clock: 2 GHz",
            "clock: 2 GHz\ncalibrated: {a: [1]}",
            "expected a single value, found a list",
        ),
        (
            "clock: 2 GHz",
            "clock: 2 GHz\ncalibrated: {a: true}",
            "expected a text or number, found 'true'",
        ),
        (
            "clock: 2 GHz",
            "clock: 2 GHz\ncosts: {classes: {fp32: 1}, caches: {}}",
            "box.yaml:6:8: costs",
        ),
        ("A box", "x" * 2001, "a text of 2001 characters, at most 2000"),
    ],
)
def test_errors_say_where(old: str, new: str, message: str) -> None:
    assert old in MINIMAL
    said = refused(MINIMAL.replace(old, new, 1))
    assert message in said
    assert re.match(r"box\.yaml:[0-9]+:[0-9]+: ", said)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("aliases: box2", "box.yaml:10:10: expected a list of texts"),
        ("sources: {me: {url: x}}", "source 'me' needs a title"),
        ("costs: {a: {b: x}}", "expected a number, found 'x'"),
        ("costs: {a: .nan}", "expected a number, found '.nan'"),
        ("costs: {a: 1e999}", "the number 1e999 is too large"),
        ("costs: {a: 1}", "box.yaml:10:8: costs"),
        ("costs: {classes: 1, caches: 2}", "box.yaml:10:8: costs"),
    ],
)
def test_errors_in_what_need_not_be_there(line: str, message: str) -> None:
    said = refused(MINIMAL + line)
    assert message in said
    assert re.match(r"box\.yaml:10:[0-9]+: ", said)


BOMB = "\n".join(
    ["costs:", "  a0: &a0 {x: 1}"]
    + [f"  a{n}: &a{n} {{{', '.join(f'{k}: *a{n - 1}' for k in 'bcdefghi')}}}" for n in range(1, 7)]
)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "---\n---\n",
        "- a list",
        "just text",
        "[" * 100_000,
        "{a: " * 1000,
        "name: !!python/object/apply:os.system [ls]",
        "a: &a [*a]",
        "name: *nothing",
        "name: a\nname: b",
        "\x00",
        "a: b: c",
        "peak: {" + ", ".join(f"d{n}: 1" for n in range(1000)) + "}",
        MINIMAL + BOMB,
        MINIMAL + "costs: " + "{a: " * 20 + "1" + "}" * 20,
        MINIMAL + "costs: {" + ", ".join(f"k{n}: 1" for n in range(1000)) + "}",
        MINIMAL + "notes: [" + "x, " * 1000 + "]",
        MINIMAL + "power: " + "1 W + " * 50 + "1 W",
        MINIMAL + "power: " + "9" * 100,
        "x" * 2_000_000,
    ],
)
def test_hostile_files_are_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "box.yaml"
    path.write_text(text)
    with pytest.raises(DeviceError) as caught:
        load(path)
    assert "box.yaml" in str(caught.value)
    assert len(str(caught.value)) < 500


def test_binary_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "box.yaml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DeviceError, match="not UTF-8 text; not a device file"):
        load(path)


GUIDE = Path(__file__).parents[2] / "docs" / "devices.md"
with_guide = pytest.mark.skipif(not GUIDE.exists(), reason="the guide is not part of an install")


@with_guide
def test_the_guides_example() -> None:
    (example,) = re.findall(r"```yaml\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    device = parse(example, "mybox.yaml")
    assert parse(dump(device), "mybox.yaml") == device
    assert device.peak["fp32"] == 28 * 1777e6 * 256
    assert device.caches[0] == Cache(128 * 2**10, None, "L1", shared=False)


@with_guide
def test_the_guide_lists_the_devices_that_there_are() -> None:
    """`make docs` puts the table there."""
    _, _, table = GUIDE.read_text().partition("devices:begin -->\n")
    assert table.startswith(render(devices_table(devices()), "markdown"))


# --- writing ------------------------------------------------------------------------------------


@each_device
def test_writing_and_reading_gives_the_same_device(device: Device) -> None:
    text = dump(device)
    assert parse(text, "x.yaml") == device
    assert dump(parse(text, "x.yaml")) == text


def test_a_measured_figure_replaces_the_formula() -> None:
    device = find("rtx-3090")
    measured = replace(
        device,
        peak={**device.peak, "fp32": 31.7e12},
        sources={**device.sources, "peak.fp32": Source("measured by archcost calibrate")},
        calibrated={"torch": "2.13.0", "threads": 4, "seconds": 12.5, "date": "2026-01-02"},
    )
    again = parse(dump(measured), "x.yaml")
    assert again == measured
    assert again.peak["fp32"] == 31.7e12


def test_costs_are_written() -> None:
    classes = {
        name: dict.fromkeys(coefficient_names(name, 2), 0.1) | {"overhead": 3.25e-06}
        for name in (ANY, "conv")
    }
    costs = Costs.from_data({"caches": {"level_0": 2**20}, "classes": {"fp32": classes}})
    device = replace(find("t4"), costs=costs)
    assert parse(dump(device), "x.yaml") == device


def test_a_formula_that_no_longer_holds_is_not_written() -> None:
    device = replace(find("rtx-3090"), bandwidth=9e11)
    with pytest.raises(DeviceError, match="reads as another device"):
        dump(device)  # its source still says that it is computed


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -1.0, 0.0])
def test_what_no_device_has_is_not_written(number: float) -> None:
    with pytest.raises(DeviceError):
        dump(replace(parse(MINIMAL, "box.yaml"), bandwidth=number))


texts = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), min_size=1, max_size=60)
figures = st.floats(min_value=1e-9, max_value=1e20)


@given(
    title=texts,
    aliases=st.lists(texts, max_size=3),
    said=st.dictionaries(texts, st.one_of(texts, st.integers(-9, 10**9), figures), max_size=4),
    peak=st.dictionaries(st.sampled_from(PEAKS), figures, min_size=1),
    numbers=st.tuples(figures, figures, figures),
    cache=st.integers(1, 2**40),
    note=texts,
)
def test_any_device_survives(
    title: str,
    aliases: list[str],
    said: dict[str, str | int | float],
    peak: dict[str, float],
    numbers: tuple[float, float, float],
    cache: int,
    note: str,
) -> None:
    bandwidth, overhead, power = numbers
    device = Device(
        name="box",
        title=title,
        kind="gpu",
        peak=peak,
        bandwidth=bandwidth,
        memory=2**33,
        overhead=overhead,
        units=3,
        caches=(Cache(cache, bandwidth, "L1", False), Cache(2**20, None, "L2")),
        power=power,
        aliases=tuple(aliases),
        sources={"bandwidth": Source(title, "", note), "caches.L1": Source("", "", note)},
        calibrated=said,
    )
    assert parse(dump(device), "x.yaml") == device
