"""``archcost conventions``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command_line import call, ok

import archcost
from archcost.conventions import CONVENTIONS, convention
from archcost.sources import zoo

NETSCOPE = {"macc", "comp", "add", "div", "exp", "activations", "params"}


def document(*arguments: str) -> dict:
    return json.loads(ok("conventions", *arguments, "--format", "json"))


def test_json_has_every_convention_by_its_name() -> None:
    found = document("resnet50")["conventions"]
    assert list(found) == list(CONVENTIONS)
    assert set(found["netscope-2016"]) == NETSCOPE
    assert {"macs", "params"} <= set(found["ptflops"])
    graph = archcost.load("resnet50")
    for name, numbers in found.items():
        assert numbers == convention(name).count(graph).numbers


def test_differences_add_up() -> None:
    about = document("alexnet")
    base = about["conventions"]["mult-adds"]["macs"]
    for name, reasons in about["differences"].items():
        main = about["conventions"][name][convention(name).main]
        assert main - base == sum(reason["amount"] for reason in reasons)
        assert all(reason["why"] and reason["amount"] for reason in reasons)
    assert about["differences"]["mult-adds"] == []


def test_options_of_the_model_reach_it() -> None:
    one, four = document("lenet5"), document("lenet5", "--batch", "4")
    assert four["conventions"]["torch"]["flops"] == 4 * one["conventions"]["torch"]["flops"]
    assert four["inputs"] == [[4, *one["inputs"][0][1:]]]


def test_the_table_fits_a_terminal_and_says_why() -> None:
    text = ok("conventions", "mobilenet-v1")
    assert max(map(len, text.splitlines())) <= 80
    assert " ".join(text.split()).count("batch normalisation") > 1
    for name in CONVENTIONS:
        assert name in text
    assert "568.74 M" in text


@pytest.mark.parametrize("format_", ["table", "markdown", "csv", "latex"])
def test_formats(format_: str) -> None:
    text = ok("conventions", "lenet5", "--format", format_).replace("{}", "")
    assert all(name in text for name in CONVENTIONS)
    assert text.endswith("\n")


def test_without_a_model_it_tells_what_they_are() -> None:
    about = json.loads(ok("conventions", "--format", "json"))
    assert [entry["name"] for entry in about] == list(CONVENTIONS)
    for entry in about:
        assert entry["source"]
        assert entry["main"] in entry["quantities"]
    page = " ".join(ok("conventions", "--only", "netscope-2016").split())
    assert " ".join(convention("netscope-2016").about.replace("``", "`").split()) in page


def test_only() -> None:
    assert list(document("lenet5", "--only", "fvcore")["conventions"]) == ["fvcore"]
    refused = call("conventions", "lenet5", "--only", "fcvore")
    assert refused.exit_code == 2
    assert "did you mean 'fvcore'" in refused.stderr


@pytest.mark.parametrize("option", [("--verify",), ("--batch", "4"), ("--set", "classes=5")])
def test_options_that_need_a_model(option: tuple[str, ...]) -> None:
    refused = call("conventions", *option)
    assert refused.exit_code == 2
    assert "need a MODEL" in refused.stderr


def test_verify_needs_a_program(monkeypatch: pytest.MonkeyPatch) -> None:
    refused = call("conventions", "lenet5", "--verify", "--only", "weights")
    assert refused.exit_code == 2
    assert "there are programs only for exact, mult-adds, fvcore" in refused.stderr
    monkeypatch.setattr("archcost.verify.counters", lambda: ())
    refused = call("conventions", "lenet5", "--verify")
    assert refused.exit_code == 2
    assert "archcost[validate]" in refused.stderr


def test_verify() -> None:
    pytest.importorskip("torch")
    found = document("alexnet", "--verify", "--only", "torch", "--batch", "2")
    (check,) = found["checks"]
    assert check["agrees"] is True
    assert check["counted"] == check["computed"] == found["conventions"]["torch"]["flops"]
    assert "equal" in ok("conventions", "alexnet", "--verify", "--only", "torch")


def test_verify_refuses_what_torch_cannot_execute(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    spec = tmp_path / "five.yaml"
    spec.write_text("{name: five, input: [1, 2, 2, 2, 2], layers: [batch_norm]}")
    refused = call("conventions", str(spec), "--verify")
    assert refused.exit_code == 2
    assert "torch has no BatchNorm4d" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1


def test_verify_says_no_where_a_program_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")

    def broken(module: object, graph: object) -> dict[str, int]:
        raise AttributeError("no such thing")

    monkeypatch.setattr("archcost.verify.torch.count", broken)
    result = call("conventions", "lenet5", "--verify", "--only", "torch")
    assert result.exit_code == 1
    assert "not run" in result.stdout
    assert "no such thing" in result.stdout


def test_verify_refuses_a_dtype_that_torch_does_not_compute_in() -> None:
    pytest.importorskip("torch")
    refused = call("conventions", "lenet5", "--verify", "--dtype", "fp8")
    assert refused.exit_code == 2
    assert "lenet5 is in fp8, in which torch does not compute" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    "arguments",
    [("--all",), ("--all", "--verify", "lenet5"), ("--all", "--verify", "--batch", "2")],
)
def test_the_whole_zoo_is_verified_as_it_is(arguments: tuple[str, ...]) -> None:
    refused = call("conventions", *arguments)
    assert refused.exit_code == 2
    assert "--all goes with --verify" in refused.stderr


def test_verify_all(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    networks = [zoo.find("lenet5"), zoo.find("simplenet-310k")]
    monkeypatch.setattr("archcost.sources.zoo.entries", lambda: networks)
    arguments = ("conventions", "--all", "--verify", "--only", "torch", "--format")
    text = ok(*arguments, "markdown")
    assert text.count("equal") >= 2
    assert "2 numbers, of which 2 are equal" in text
    assert ok(*arguments, "csv").splitlines()[1] == "lenet5,15,1,equal,"
    found = json.loads(ok(*arguments, "json"))
    assert [entry["name"] for entry in found["networks"]] == ["lenet5", "simplenet-310k"]
    assert all(check["agrees"] for entry in found["networks"] for check in entry["checks"])
    monkeypatch.setattr("archcost.verify.torch.count", lambda module, graph: {"flops": 1})
    result = call(*arguments, "markdown")
    assert result.exit_code == 1
    assert "torch, flops: 831360 here, 1 counted" in result.stdout


def test_verify_says_no_where_a_program_counts_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    monkeypatch.setattr("archcost.verify.torch.count", lambda module, graph: {"flops": 1})
    result = call("conventions", "lenet5", "--verify", "--only", "torch")
    assert result.exit_code == 1
    assert "differs" in result.stdout
