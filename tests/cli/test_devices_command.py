"""``archcost devices``."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest
from command_line import completed, ok, refused
from hostile import STRINGS, harmless

from archcost.cli.devices import COLUMNS
from archcost.cli.devices import KINDS as OFFERED
from archcost.hardware.device import KINDS, Source
from archcost.hardware.files import devices, dump, find, names
from archcost.report.devices import LIST_COLUMNS


def test_what_is_offered_without_loading_it_is_what_there_is() -> None:
    assert [column.key for column in LIST_COLUMNS] == list(COLUMNS)
    assert OFFERED == KINDS


def test_the_list() -> None:
    lines = ok("devices", "list").splitlines()
    (line,) = [line for line in lines if line.startswith("rtx-3090")]
    assert "35.6 T/s" in line
    assert "936 G/s" in line
    assert all(len(line) <= 80 for line in lines)
    assert sum(line.startswith(tuple(names())) for line in lines) == len(devices())


def test_the_list_as_data() -> None:
    found = json.loads(ok("devices", "list", "--format", "json"))
    assert [entry["name"] for entry in found] == [device.name for device in devices()]
    (entry,) = [entry for entry in found if entry["name"] == "h200"]
    device = find("h200")
    assert entry["peak_flops_per_second"] == device.peak
    assert entry["memory_bytes"] == device.memory
    assert entry["ridge_flops_per_byte"]["bf16"] == device.peak["bf16"] / device.bandwidth


def test_part_of_the_list() -> None:
    found = json.loads(ok("devices", "list", "--kind", "cpu", "--sort", "fp32", "--format", "json"))
    peaks = [entry["peak_flops_per_second"]["fp32"] for entry in found]
    assert peaks == sorted(peaks, reverse=True)
    assert {entry["kind"] for entry in found} == {"cpu"}
    backwards = json.loads(ok("devices", "list", "--reverse", "--format", "json"))
    assert [entry["name"] for entry in backwards] == [d.name for d in reversed(devices())]


@pytest.mark.parametrize("format_", ["table", "markdown", "csv", "latex", "html"])
@pytest.mark.parametrize("arguments", [("list",), ("show", "h100")])
def test_every_format(arguments: tuple[str, ...], format_: str) -> None:
    text = ok("devices", *arguments, "--format", format_)
    assert "h100" in text or "H100" in text


def test_a_sheet_says_where_every_figure_is_from() -> None:
    text = ok("devices", "show", "RTX 3090")
    assert "35.6 TFLOP/s" in text
    assert "= units * clock * 256 FLOP/cycle; printed as 35.6 TFLOP/s; [1], Appendix A" in text
    assert "accumulating in fp32 as torch does" in text
    assert "ridge.fp32  38.0 FLOP/byte" in text
    assert "[1]              NVIDIA Ampere GA102 GPU Architecture whitepaper" in text


def test_a_sheet_as_data() -> None:
    device = find("gtx980")
    document = json.loads(ok("devices", "show", "gtx980", "--format", "json"))
    assert document["sources"]["power"] == device.sources["power"]._asdict()
    assert document["caches"][0]["bytes"] == device.caches[0].bytes
    assert document["costs"] is None
    rows = list(csv.DictReader(ok("devices", "show", "gtx980", "--format", "csv").splitlines()))
    assert {row["figure"] for row in rows} == set(device.sources)
    assert all(row["title"] and row["url"] for row in rows)


def test_a_file_is_shown(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(dump(find("t4")).replace("title: NVIDIA T4", "title: My T4"))
    assert "My T4" in ok("devices", "show", str(path))
    path.write_text("name: x")
    said = refused("devices", "show", str(path))
    assert "mine.yaml:1:1: a device needs title, kind" in said


@pytest.mark.parametrize("name", STRINGS.values(), ids=STRINGS)
def test_a_hostile_file_does_no_harm(name: str, tmp_path: Path) -> None:
    text = name.encode("utf-8", "replace").decode()[:1000]
    source = Source(text, "https://harm.example/" + text, text, text)
    device = replace(
        find("t4"),
        title=text,
        chip=text,
        aliases=(text,),
        notes=(text,),
        sources={"power": source},
        calibrated={text[:100]: text},
    )
    path = tmp_path / "mine.yaml"
    path.write_text(dump(device), encoding="utf-8")
    for format_ in ("table", "markdown", "csv", "latex", "html", "json"):
        assert harmless(ok("devices", "show", str(path), "--format", format_))


def test_mistakes() -> None:
    assert "did you mean 'rtx-3090'?" in refused("devices", "show", "rtx-3091")
    assert "there are: gpu, cpu" in refused("devices", "list", "--kind", "accelerator")
    assert "did you mean 'power'?" in refused("devices", "list", "--sort", "powr")
    assert "would be a picture" in refused("devices", "list", "-o", "x.png")


def test_names_are_completed() -> None:
    offered = {name for name in names() if name.startswith("rtx")}
    assert "rtx-3090" in offered
    assert completed("archcost devices show rtx") == offered


def test_aliases_are_completed_where_no_name_fits() -> None:
    assert "Tesla" in " ".join(completed("archcost devices show tesla"))
