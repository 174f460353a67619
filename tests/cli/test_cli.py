"""The command line: what it answers, where it writes, and how it says no."""

from __future__ import annotations

import csv
import io
import json
import math
import os
import re
import signal
import subprocess
import sys
from importlib import import_module

import pytest
from command_line import call, completed, ok

import archcost
from archcost.cli.main import COMMANDS
from archcost.cli.options import DTYPES
from archcost.cli.report import FORMATS, GROUPINGS
from archcost.cli.zoo import COLUMNS
from archcost.ir import FLOATS
from archcost.published.files import PublishedError
from archcost.report import FORMATS as ENDINGS
from archcost.report import model
from archcost.report import zoo as zoo_report

PROGRAM = (sys.executable, "-m", "archcost.cli")


def totals(*arguments):
    return json.loads(ok("report", *arguments, "--format", "json"))["totals"]


# --- report ---------------------------------------------------------------------------------------


def test_report():
    text = ok("report", "simplenet")
    assert text.startswith("SimpleNet")
    assert "5,493,258" in text
    assert "\x1b" not in text
    assert max(map(len, text.splitlines())) <= 80


def test_every_format_and_grouping():
    for format_ in FORMATS:
        for by in GROUPINGS:
            assert ok("report", "lenet5", "--format", format_, "--by", by).endswith("\n")


def test_options_reach_the_library():
    plain = totals("resnet18")
    assert totals("resnet18", "--batch", "4")["macs"] == 4 * plain["macs"]
    assert totals("resnet18", "--input", "3x112x112")["macs"] < plain["macs"] / 3
    assert totals("resnet18", "--set", "classes=10")["params"] < plain["params"]
    half = totals("resnet18", "--dtype", "fp16")
    assert half["peak_memory_bytes"] * 2 == plain["peak_memory_bytes"]
    lean = totals("resnet18", "--inplace", "--fold-norm")
    assert lean["peak_memory_bytes"] < plain["peak_memory_bytes"]


def test_a_list_can_be_set():
    widths = "[64,32,32,32,32,32,64,64,64,128,256,64,64]"
    assert totals("simplenet", "--set", f"widths={widths}") == totals("simplenet-310k")


def test_stored_size():
    arguments = ("alexnet", "--bits", "5", "--sparsity", "0.5", "--index-bits", "4")
    stored = json.loads(ok("report", *arguments, "--format", "json"))["stored"]
    params = totals("alexnet")["params"]
    expected = {"bits": 5, "sparsity": 0.5, "index_bits": 4, "bytes": -(-params // 2 * 9 // 8)}
    assert stored == expected
    assert "at 5 bits a value, 50 % of the parameters pruned" in " ".join(
        ok("report", *arguments).split()
    )


def test_json_names_the_version():
    document = json.loads(ok("report", "lenet5", "--format", "json"))
    assert document["archcost"] == archcost.__version__


def test_sort_and_top():
    text = ok("report", "resnet18", "--by", "layer", "--top", "3", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert len(rows) == 4
    assert sum(int(row["macs"]) for row in rows) == totals("resnet18")["macs"]
    text = ok("report", "lenet5", "--sort", "name", "--format", "csv")
    names = [row["name"] for row in csv.DictReader(io.StringIO(text))]
    assert names == sorted(names)


def test_a_spec_file(tmp_path):
    path = tmp_path / "tiny.yaml"
    path.write_text("name: tiny\ninput: [3, 8, 8]\nlayers:\n  - conv: {out: 4, kernel: 3}\n")
    assert totals(str(path))["params"] == 112


# --- files ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("format_", FORMATS)
def test_a_file_holds_what_standard_output_would(tmp_path, format_):
    arguments = ("report", "lenet5", "--format", format_)
    target = tmp_path / "out"
    target.write_text("old")
    assert ok(*arguments, "-o", str(target)) == ""
    expected = "".join(f"{line.rstrip()}\n" for line in ok(*arguments).splitlines())
    assert target.read_text(encoding="utf-8") == expected
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_the_ending_says_the_format(tmp_path):
    for format_ in FORMATS:
        target = tmp_path / f"out{ENDINGS[format_].upper()}"
        ok("report", "lenet5", "-o", str(target))
        said = tmp_path / "said"
        ok("report", "lenet5", "--format", format_, "-o", str(said))
        assert target.read_text() == said.read_text()
    ok("report", "lenet5", "--format", "csv", "-o", str(tmp_path / "out.json"))
    assert (tmp_path / "out.json").read_text().startswith("name,")
    assert ok("report", "lenet5", "-o", "-") == ok("report", "lenet5")
    ok("report", "lenet5", "--by", "op", "-o", str(tmp_path / "out.htm"))
    assert (tmp_path / "out.htm").read_text().startswith("<!DOCTYPE html>")


@pytest.mark.parametrize("command", ["report lenet5", "compare lenet5", "zoo list", "operators"])
def test_a_table_is_no_picture(tmp_path, command):
    for name in ("out.svg", "out.PNG", "out.pdf"):
        result = call(*command.split(), "-o", str(tmp_path / name))
        refused(result, "would be a picture, which archcost diagram and archcost plot draw")
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_left_where_a_file_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("text")
    for target in (tmp_path / "file" / "x.json", tmp_path / "missing" / "x.json", tmp_path):
        result = call("report", "lenet5", "-o", str(target))
        refused(result, f"archcost: error: cannot write '{target}': ")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


# --- mistakes -------------------------------------------------------------------------------------


def refused(result, *messages):
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    assert result.exception is None or isinstance(result.exception, SystemExit)
    for message in messages:
        assert message in " ".join(result.stderr.split())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["reprot", "simplenet"], "no command 'reprot'; did you mean 'report'?"),
        (["qqq"], "there are: " + ", ".join(COMMANDS)),
        (["zoo", "lst"], "no command 'lst'; did you mean 'list'?"),
        (["report"], "Missing argument 'MODEL'"),
        (["report", "simplent"], "no network 'simplent' in the zoo; did you mean 'simplenet'?"),
        (["report", "missing.yaml"], "missing.yaml: there is no such file"),
        (["report", "deploy.prototxt"], "deploy.prototxt"),
        (["report", "lenet5", "--by", "lyer"], "no 'lyer'; did you mean 'layer'?"),
        (["report", "lenet5", "--format", "jsn"], "no 'jsn'; did you mean 'json'?"),
        (["report", "lenet5", "--dtype", "float32"], "there are: fp64, fp32"),
        (["report", "lenet5", "--input", "3xbad"], "'3xbad' is no shape; expected sizes"),
        (["report", "alexnet", "--input", "3x8x8"], "conv"),
        (["report", "lenet5", "--input", "0x32x32"], "sizes are integers >= 1"),
        (["report", "lenet5", "--input", "1x32x32", "--input", "1x32x32"], "1 input, 2 given"),
        (["report", "lenet5", "--input", "x".join(["9" * 15] * 3)], "archcost: error: "),
        (["report", "lenet5", "--batch", "0"], "0 is not in the range"),
        (["report", "lenet5", "--batch", "9" * 30], "the batch is"),
        (["report", "lenet5", "--batch", "many"], "'many' is not a valid integer"),
        (["report", "simplenet", "--set", "classes"], "expected KEY=VALUE, like classes=10"),
        (["report", "simplenet", "--set", "=3"], "expected KEY=VALUE"),
        (["report", "simplenet", "--set", "clases=3"], "did you mean 'classes'?"),
        (["report", "simplenet", "--set", "classes=many"], "needs an integer"),
        (["report", "simplenet", "--set", "widths=[1"], "'[1' is no value"),
        (
            ["report", "simplenet", "--set", "classes=2", "--set", "classes=3"],
            "'classes' is set twice",
        ),
        (["report", "simplenet", "--sort", "cost"], "no column 'cost'; it has: name, layers"),
        (["report", "simplenet", "--top", "0"], "0 is not in the range"),
        (["report", "simplenet", "--bits", "65"], "65 is not in the range"),
        (["report", "simplenet", "--bits", "4", "--sparsity", "1"], "range 0<=x<1"),
        (["report", "simplenet", "--bits", "4", "--sparsity", "nan"], "no number to compute with"),
        (["report", "simplenet", "--sparsity", "0.5"], "--sparsity needs --bits"),
        (["report", "simplenet", "--bits", "4", "--index-bits", "4"], "--index-bits needs"),
        (["report", "simplenet", "--fromat", "json"], "--fromat"),
        (["zoo", "show", "lenet6"], "did you mean 'lenet"),
        (["zoo", "list", "--family", "resnets"], "no family 'resnets' in the zoo; did you mean"),
        (["zoo", "list", "--dataset", "CIFAR-11"], "no dataset 'CIFAR-11' in the zoo; "),
        (["zoo", "list", "--year", "15"], "'15' is no year; expected one like 2015"),
        (["zoo", "list", "--sort", "mac"], "no 'mac'; did you mean 'macs'?"),
        (["zoo", "list", "--year", ""], "'' is no year"),
        (["zoo", "list", "--year", "2016-2014"], "'2016-2014' ends before it begins"),
        (["zoo", "show", "lenet5", "-o", "x.csv"], "'x.csv' would be csv; this writes table, json"),
        (["report", "resnet"], "'resnet' is a family of"),
        (["zoo", "show", "lenet5", "--format", "csv"], "no 'csv'"),
        (["completion", "tcsh"], "there are: bash, zsh, fish"),
        (["measure", "lenet5", "--min-run-time", "nan"], "'nan' is no number to compute with"),
        (["measure", "lenet5", "--min-run-time", "0"], "is not in the range x>0"),
        (["measure", "lenet5", "--device", "gpu"], "there are cpu, cuda and cuda:0 on"),
        (["measure", "lenet5", "--batch", "8,0"], "expected some like 1,8,64"),
        (["measure", "lenet5", "--dtype", "fp31"], "did you mean 'fp32'?"),
        (["estimate", "lenet5"], "name the device: --device NAME"),
        (["estimate", "lenet5", "--device", "rtx3091"], "did you mean 'rtx-3090'?"),
        (["devices", "shwo"], "did you mean 'show'?"),
        (["validate", "lenet5"], "Missing option '--device'"),
        (
            ["validate", "lenet5", "--device", "h100", "--on", "cpu"],
            "is a gpu: cpu is no such device",
        ),
        (["validate", "--device", "h100", "-o", "/nowhere/x.md"], "there is no such folder"),
        (["measure", "lenet5", "-o", "/nowhere/x.md"], "there is no such folder"),
        (["calibrate", "--device-file", "/nowhere/x.yaml"], "there is no such folder"),
        (["calibrate", "--name", "a/b"], "'a/b' is no name for a device"),
        (["calibrate", "--from", "nothing.jsonl"], "nothing.jsonl: cannot be read"),
    ],
)
def test_a_mistake_gets_one_message(arguments, message):
    refused(call(*arguments), message)


def test_an_error_cannot_control_the_terminal():
    result = call("report", "\x1b[31m\u202ename")
    refused(result)
    assert "\x1b" not in result.stderr
    assert "\u202e" not in result.stderr


# --- zoo ------------------------------------------------------------------------------------------


def test_zoo_list():
    entries = json.loads(ok("zoo", "list", "--format", "json"))
    assert sorted(entry["name"] for entry in entries) == sorted(archcost.zoo_names())
    assert all(list(entry) == [*COLUMNS, "source"] for entry in entries)
    assert [entry["year"] for entry in entries] == sorted(entry["year"] for entry in entries)
    known = {entry["name"]: entry for entry in entries}
    simplenet = known["simplenet"]
    assert (simplenet["params"], simplenet["macs"]) == (5_493_258, 652_151_296)
    assert simplenet["input"] == [3, 32, 32]
    table = ok("zoo", "list")
    assert max(map(len, table.splitlines())) <= 80
    assert all(any(line.startswith(name) for line in table.splitlines()) for name in known)
    rows = list(csv.DictReader(io.StringIO(ok("zoo", "list", "--format", "csv"))))
    assert {row["name"]: int(row["macs"]) for row in rows} == {
        name: entry["macs"] for name, entry in known.items()
    }


def listed(*options):
    return json.loads(ok("zoo", "list", "--format", "json", *options))


@pytest.fixture(scope="module")
def everything():
    return listed()


def test_zoo_list_selects(everything):
    resnets = listed("--family", "ResNet")
    assert resnets == [entry for entry in everything if entry["family"] == "resnet"]
    assert {entry["family"] for entry in listed("--family", "fmp")} == {"fractional-max-pooling"}
    both = listed("--family", "resnet", "--family", "vgg", "--dataset", "cifar10")
    assert both == [
        entry
        for entry in everything
        if entry["family"] in ("resnet", "vgg") and entry["dataset"] == "CIFAR-10"
    ]
    assert listed("--search", "deep RESIDUAL plain-110")[0]["name"] == "resnet110-plain"
    for years, first, last in (
        ("2014", 2014, 2014),
        ("2013-2014", 2013, 2014),
        ("2016-", 2016, 9999),
        ("-2012", 0, 2012),
    ):
        chosen = listed("--year", years)
        assert chosen == [entry for entry in everything if first <= entry["year"] <= last]
        assert chosen


@pytest.mark.parametrize("column", COLUMNS)
def test_zoo_list_sorts(column):
    entries = listed("--family", "inception", "--sort", column)
    values = [entry[column] for entry in entries]
    if column == "input":
        values = [math.prod(value) for value in values]
    if isinstance(values[0], str):
        values = [value.lower() for value in values]
    ascending = column == "year" or isinstance(values[0], str)
    assert values == sorted(values, reverse=not ascending)
    other = listed("--family", "inception", "--sort", column, "--reverse")
    assert [entry[column] for entry in other] == [entry[column] for entry in reversed(entries)]


def test_zoo_list_sorts_titles_whatever_their_case():
    titles = [
        e["title"] for e in listed("--family", "rcnn", "--family", "zfnet", "--sort", "title")
    ]
    assert titles[0] == "RCNN-128"
    assert titles.index("rCNN-96") < titles.index("WCNN-128") < titles.index("ZFNet")


def test_zoo_list_leaves_out_the_column_that_was_asked_for():
    assert "Dataset" in ok("zoo", "list", "--family", "lenet").splitlines()[0]
    assert "Family" not in ok("zoo", "list", "--family", "lenet").splitlines()[0]
    assert "Dataset" not in ok("zoo", "list", "--dataset", "NORB").splitlines()[0]
    both = ok("zoo", "list", "--family", "lenet", "--family", "zfnet", env={"COLUMNS": "120"})
    assert "Family" in both.splitlines()[0]
    header = ok("zoo", "list", "--family", "lenet", "--format", "csv").splitlines()[0]
    assert header == ",".join(COLUMNS)


def test_a_bar_and_warnings_do_not_mix(tmp_path):
    """Under a terminal: the bar is gone before anything else is said."""
    (tmp_path / "blocks").mkdir()
    (tmp_path / "worse.yaml").write_text(
        "name: worse\ninput: [3, 8, 8]\nlayers: [conv: {out: 1, kernel: 9}]\n"
    )
    (tmp_path / "tiny.yaml").write_text(SPEC)
    code = (
        "import archcost.sources.zoo as zoo; from pathlib import Path; import sys\n"
        f"zoo.folder = lambda: Path({str(tmp_path)!r})\n"
        "from archcost.cli.main import main; sys.argv = ['archcost', 'zoo', 'list']; main()"
    )
    ours, theirs = os.openpty()
    done = subprocess.run(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=theirs,
        check=False,
        timeout=60,
        env={**os.environ, "TERM": "xterm"},
    )
    os.close(theirs)
    said = os.read(ours, 100_000).decode()
    os.close(ours)
    assert done.returncode == 0
    assert b"tiny" in done.stdout
    assert "Counting" in said
    *_, last = [line for line in said.replace("\r", "\n").splitlines() if line]
    assert re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", last).startswith(
        "archcost: warning: worse is left out"
    )


def test_broken_published_data_leaves_the_rest(monkeypatch):
    def broken(_model):
        raise PublishedError("tiny.yaml: a number is missing")

    monkeypatch.setattr("archcost.published.about.cells_of", broken)
    result = call("zoo", "show", "lenet5")
    assert result.exit_code == 0
    assert "60,000" in result.stdout
    assert result.stderr == (
        "archcost: warning: published numbers are left out: tiny.yaml: a number is missing\n"
    )


def test_zoo_list_with_nothing_in_it():
    result = call("zoo", "list", "--search", "no such words", "--format", "json")
    assert (result.exit_code, result.stdout) == (1, "[]\n")
    assert result.stderr == "archcost: warning: no network fits what was asked for\n"


def test_zoo_list_without_a_sort_the_other_way_round():
    assert listed("--family", "vgg", "--reverse") == listed("--family", "vgg")[::-1]


def test_zoo_columns_are_those_of_the_report():
    assert tuple(column.key for column in zoo_report.COLUMNS) == COLUMNS


def test_zoo_show_has_the_published_numbers():
    about = json.loads(ok("zoo", "show", "simplenet-310k", "--format", "json"))
    (cost,) = [
        c
        for c in about["published"]["costs"]
        if c["table"] == "simplenet/6" and c["model"] == "simplenet-310k"
    ]
    assert cost["printed"].startswith("310")
    assert cost["verdict"] == "match under another convention"
    text = " ".join(ok("zoo", "show", "simplenet-310k").split())
    assert "params 310" in text
    text = " ".join(ok("zoo", "show", "simplenet").split())
    assert "652,151,296" in text


@pytest.mark.parametrize("name", archcost.zoo_names())
def test_zoo_show(name):
    about = json.loads(ok("zoo", "show", name, "--format", "json"))
    assert about["name"] == name
    assert about["source"]["title"]
    assert name not in about["variants"]
    text = ok("zoo", "show", name)
    assert max(map(len, text.splitlines())) <= 80
    words = " ".join(text.split())
    for key in about["parameters"]:
        assert f"{key}=" in words
    related = about["variants"] if len(about["variants"]) <= 8 else ()
    for said in (*about["aliases"], *related, *about["notes"]):
        assert "".join(said.split()) in "".join(text.split())
    if not related and about["variants"]:
        assert f"archcost zoo list --family {about['family']}" in words
    published = about["published"]
    assert ("no cost or accuracy" in words) == (not any(published.values()))
    for cost in published["costs"]:
        if isinstance(cost["computed"], int):
            assert f"{cost['computed']:,}" in words
        if cost["verdict"] != "match":
            assert "".join(cost["explanation"].split()) in "".join(text.split())
    for accuracy in published["accuracies"]:
        assert accuracy["printed"] in words


def test_zoo_show_takes_an_alias():
    assert json.loads(ok("zoo", "show", "SimpleNet_V1", "--format", "json"))["name"] == "simplenet"


def test_zoo_show_gives_the_settings_of_a_variant(tmp_path):
    about = json.loads(ok("zoo", "show", "squeezenet-1.1", "--format", "json"))
    assert about["parameters"]["version"]["default"] == "v1.1"
    assert about["parameters"]["version"]["choices"] == ["v1.0", "v1.1"]
    ok("zoo", "show", "lenet5", "-o", str(tmp_path / "about.json"))
    assert json.loads((tmp_path / "about.json").read_text())["name"] == "lenet5"
    ok("zoo", "show", "lenet5", "-o", str(tmp_path / "about.txt"))
    assert (tmp_path / "about.txt").read_text().startswith("LeNet-5\n")


# --- help, version, completion --------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        *([name] for name in COMMANDS),
        ["zoo", "list"],
        ["zoo", "show"],
        ["devices", "list"],
        ["devices", "show"],
    ],
    ids=" ".join,
)
def test_help(arguments):
    text = ok(*arguments, "--help")
    assert text == ok(*arguments, "-h")
    assert "Examples:" in text
    assert max(map(len, text.splitlines())) <= 80
    assert f"Usage: {' '.join(['archcost', *arguments])}" in text


def test_groups_alone_show_their_help():
    assert ok() == ok("--help")
    for group in ("zoo", "devices"):
        assert ok(group) == ok(group, "--help")


def test_version():
    assert ok("--version") == f"archcost {archcost.__version__}\n"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_script(shell):
    assert "_ARCHCOST_COMPLETE" in ok("completion", shell)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("archcost report simplenet-3", {"simplenet-310k"}),
        ("archcost zoo show lenet5", {"lenet5"}),
        ("archcost zoo list --family mobile", {"mobilenet"}),
        ("archcost zoo list --dataset cifar-100", {"CIFAR-100"}),
        ("archcost zoo list --sort mac", {"macs"}),
        ("archcost zoo show teacher-", {"teacher-1"}),
        ("archcost report squeezenet --set by", {"bypass="}),
        (
            "archcost report squeezenet --set bypass=",
            {"bypass=none", "bypass=simple", "bypass=complex"},
        ),
        ("archcost re", {"report", "reproduce"}),
        ("archcost reproduce simplenet/a", {"simplenet/appendix"}),
        ("archcost reproduce --verdict n", {"not-reproduced"}),
        ("archcost conventions lenet5 --only fv", {"fvcore"}),
        ("archcost zoo s", {"show"}),
        ("archcost report lenet5 --by st", {"stage"}),
        ("archcost report ./my_net", {"./my_net"}),
        ("archcost report lenet5 -o ./out", {"./out"}),
        ("archcost export ./my_net", {"./my_net"}),
        ("archcost export lenet5 --to o", {"onnx"}),
        ("archcost export lenet5 --weights n", {"none"}),
        ("archcost export lenet5 --dtype f", {"fp64", "fp32", "fp16", "fp8"}),
        ("archcost estimate lenet5 --device rtx-30", {"rtx-3090"}),
        ("archcost estimate lenet5 --device ./here", {"./here"}),
        ("archcost devices show gtx-9", {"gtx-980"}),
        ("archcost devices list --kind c", {"cpu"}),
        ("archcost validate --device h2", {"h200"}),
        ("archcost validate resnet15", {"resnet152"}),
        ("archcost measure resnet15", {"resnet152"}),
        ("archcost measure lenet5 --ceilings h2", {"h200"}),
    ],
)
def test_completion(words, expected):
    assert completed(words) == expected


def test_every_command_can_be_loaded():
    for name in COMMANDS:
        command = import_module(f"archcost.cli.{name}").command
        assert command.help


def test_the_words_are_the_library_s():
    assert set(DTYPES) == FLOATS
    assert model.GROUPINGS == GROUPINGS
    assert tuple(ENDINGS) == FORMATS


# --- the process ----------------------------------------------------------------------------------


def process(*arguments, **options):
    return subprocess.run(
        [*PROGRAM, *arguments], capture_output=True, text=True, check=False, timeout=60, **options
    )


def test_a_real_process(tmp_path):
    done = process("report", "simplenet", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert max(map(len, done.stdout.splitlines())) <= 80
    done = process("report", "nonesuch", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("archcost: error: no network 'nonesuch'")
    assert done.stderr.count("\n") == 1


def test_columns_sets_the_width(tmp_path):
    done = process("report", "simplenet", cwd=tmp_path, env={**os.environ, "COLUMNS": "160"})
    assert "Receptive field" in done.stdout.splitlines()[6]


def test_an_encoding_without_the_letters(tmp_path):
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    done = process("report", "googlenet", cwd=tmp_path, env=environment)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.isascii()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")  # noqa: PTH110
def test_a_full_disk(tmp_path):
    with open("/dev/full", "w") as full:  # noqa: PTH123
        for format_ in ("table", "csv"):
            done = subprocess.run(
                [*PROGRAM, "report", "lenet5", "--format", format_],
                stdout=full,
                stderr=subprocess.PIPE,
                text=True,
                check=False,
                cwd=tmp_path,
            )
            assert done.returncode == 2
            assert done.stderr == (
                "archcost: error: cannot write to standard output: No space left on device\n"
            )


@pytest.mark.parametrize("format_", ["table", "csv", "json"])
def test_a_closed_pipe_is_quiet(tmp_path, format_):
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as closed:
        done = subprocess.run(
            [*PROGRAM, "report", "simplenet", "--format", format_],
            stdout=closed,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            cwd=tmp_path,
        )
    assert (done.returncode, done.stderr) == (141, "")


def test_an_interrupt(monkeypatch):
    def interrupt(*_arguments, **_options):
        raise KeyboardInterrupt

    monkeypatch.setattr("archcost.sources.load", interrupt)
    result = call("report", "simplenet")
    assert result.exit_code == 128 + signal.SIGINT
    assert result.stdout == ""
    assert result.stderr.strip() == ""


def test_a_fault_of_ours_is_not_hidden(monkeypatch):
    def fail(*_arguments, **_options):
        raise RuntimeError("a bug")

    monkeypatch.setattr("archcost.sources.load", fail)
    assert isinstance(call("report", "simplenet").exception, RuntimeError)


# --- what a careless or hostile user does ---------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [["report"], ["report", "lenet5", "--by"], ["report", "lenet5", "--by", "x"], ["-x"], ["qqq"]],
)
def test_all_messages_have_one_form(arguments):
    result = call(*arguments)
    refused(result)
    assert result.stderr.startswith("archcost: error: ")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("shape", ["3x224", "224", "3x224x224x224"])
@pytest.mark.parametrize("name", ["alexnet", "googlenet", "mobilenet-v1", "resnet20", "vgg16"])
def test_an_input_has_as_many_sizes_as_the_network_s_own(name, shape):
    refused(call("report", name, "--input", shape), "has 3 sizes without the batch, like 3x")


@pytest.mark.parametrize("number", ["many", "", "1e3", "1.5"])
def test_a_number_is_no_range(number):
    refused(call("report", "lenet5", "--batch", number), "is not a valid integer (")


def test_no_column_is_no_default():
    refused(call("report", "lenet5", "--sort", ""), "no column ''")


@pytest.mark.parametrize("given", ["", "'10'", "010x"])
def test_a_setting_is_shown_as_what_it_is(given):
    shown = "''" if not given else f"{given!r}" if given[0] != "'" else given
    refused(call("report", "simplenet", "--set", f"classes={given}"), f"found {shown}")


SPEC = "name: tiny\ninput: [3, 8, 8]\nlayers: [relu]\n"


@pytest.mark.parametrize("model", ["net.yaml", "net.yaml:tiny", "./net.yaml", "link.yaml"])
@pytest.mark.parametrize("target", ["net.yaml", "link.yaml"])
def test_a_result_does_not_replace_its_model(tmp_path, monkeypatch, model, target):
    monkeypatch.chdir(tmp_path)
    spec = tmp_path / "net.yaml"
    spec.write_text(SPEC)
    (tmp_path / "link.yaml").symlink_to("net.yaml")
    refused(call("report", model, "-o", target), f"-o '{target}' would overwrite the model itself")
    assert spec.read_text() == SPEC


def test_a_folder_s_name_is_no_file_s(tmp_path):
    target = tmp_path / "file"
    target.write_text("text")
    refused(call("report", "lenet5", "-o", f"{target}/"), "that is the name of a directory")
    refused(call("report", "lenet5", "-o", ""), "a file has a name")
    assert target.read_text() == "text"


def test_a_network_of_nothing(tmp_path):
    path = tmp_path / "none.yaml"
    path.write_text("name: none\ninput: [3, 8, 8]\nlayers: []\n")
    for format_ in FORMATS:
        refused(call("report", str(path), "--format", format_), "none has no layers to report")


def test_a_file_that_is_no_spec(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "report.txt").write_text("{}")
    (tmp_path / "lenet5").write_text("{}")
    refused(call("report", "report.txt"), "as a file it is of no kind that is read")
    ok("report", "lenet5", "--format", "json", "-o", "lenet.json")
    refused(call("report", "lenet.json"), "expected 'archcost.graph/1', a graph as archcost export")
    ok("report", "lenet5")


def test_a_pipe_is_no_spec(tmp_path):
    path = tmp_path / "fifo.yaml"
    os.mkfifo(path)
    done = process("report", str(path))
    assert (done.returncode, done.stdout) == (2, "")
    assert "no file but a device or pipe" in done.stderr


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")  # noqa: PTH110
@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["report", "--help"], ["zoo"]])
def test_a_full_disk_takes_no_help_either(arguments):
    with open("/dev/full", "w") as full:  # noqa: PTH123
        done = subprocess.run(
            [*PROGRAM, *arguments], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == 2
    assert done.stderr == (
        "archcost: error: cannot write to standard output: No space left on device\n"
    )


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")  # noqa: PTH110
@pytest.mark.parametrize("arguments", [["report", "nonesuch"], ["--nonesuch"]])
def test_the_status_says_it_where_no_message_can(arguments):
    with open("/dev/full", "w") as full:  # noqa: PTH123
        done = subprocess.run([*PROGRAM, *arguments], stderr=full, check=False)
    assert done.returncode == 2


def closed(stream, *arguments):
    return subprocess.run(
        ["sh", "-c", f'exec "$@" {stream}>&-', "sh", *PROGRAM, *arguments],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("format_", FORMATS)
def test_a_closed_standard_output(tmp_path, format_):
    done = closed(1, "report", "lenet5", "--format", format_)
    assert done.returncode == 2
    assert done.stderr == "archcost: error: cannot write to standard output: it is closed\n"
    done = closed(1, "report", "lenet5", "--format", format_, "-o", str(tmp_path / "file"))
    assert (done.returncode, done.stderr) == (0, "")
    assert "Traceback" not in closed(1, "--help").stderr


@pytest.mark.parametrize(("columns", "width"), [("0", 80), ("1", 20), ("20", 20), ("40", 40)])
def test_a_strange_width(columns, width):
    done = process("report", "googlenet", env={**os.environ, "COLUMNS": columns})
    assert (done.returncode, done.stderr) == (0, "")
    assert max(map(len, done.stdout.splitlines())) == width
    assert not [line for line in done.stdout.splitlines() if line != line.rstrip()]


def test_zoo_list_says_what_it_leaves_out(monkeypatch, tmp_path):
    (tmp_path / "blocks").mkdir()
    (tmp_path / "bad.yaml").write_text("name: bad\n")
    (tmp_path / "worse.yaml").write_text(
        "name: worse\ninput: [3, 8, 8]\nlayers: [conv: {out: 1, kernel: 9}]\n"
    )
    (tmp_path / "tiny.yaml").write_text(SPEC)
    monkeypatch.setattr("archcost.sources.zoo.folder", lambda: tmp_path)
    result = call("zoo", "list", "--format", "csv")
    assert result.exit_code == 0
    assert [line.partition(",")[0] for line in result.stdout.splitlines()] == ["name", "tiny"]
    assert result.stderr.splitlines() == [
        "archcost: warning: left out: bad.yaml:1:1: the spec has no 'layers'",
        (
            "archcost: warning: worse is left out: worse.yaml:3:10: node 'conv': conv has a window "
            "of 9, larger than the padded input of 8 (inputs: 1x3x8x8)"
        ),
    ]


def test_a_deep_network_is_reported_in_time(tmp_path):
    path = tmp_path / "deep.yaml"
    path.write_text(
        "name: deep\ninput: [3, 8, 8]\nlayers: [repeat: {times: 20000, layers: [relu]}]\n"
    )
    for format_ in ("table", "json"):
        done = process("report", str(path), "--by", "layer", "--format", format_)
        assert done.returncode == 0
        assert done.stdout.count("\n") > 20_000
