"""The whole zoo, from its files to what every network costs, in one thread of one process."""

from __future__ import annotations

import json
import sys

from timing import Series, environment, milliseconds, run, show, versions

import archcost

ROUNDS = 5
BAR = 5.0

# Nothing is kept from one network to the next but what archcost itself keeps.
CHILD = """
import json, time
begin, cpu = time.perf_counter(), time.process_time()
import archcost
from archcost.sources import zoo

specs = len({entry.spec.file for entry in zoo.entries()})
parsed = time.perf_counter()
layers, slowest = 0, (0, "")
names = archcost.zoo_names()
for name in names:
    start = time.perf_counter()
    result = archcost.analyze(archcost.load(name))
    for row in result.layers:
        row.params, row.macs, row.flops, row.activations, row.receptive_field
    assert result.totals.params >= 0
    layers += len(result.layers)
    slowest = max(slowest, (time.perf_counter() - start, name))
end = time.perf_counter()
print(json.dumps([parsed - begin, end - parsed, time.process_time() - cpu, specs, layers,
                  slowest, names]))
"""


def test_whole_zoo(tmp_path):
    children = environment(tmp_path / "bytecode")
    run([sys.executable, "-c", CHILD], children)  # writes the bytecode
    parsing, analysing, processor = Series(), Series(), Series()
    for _ in range(ROUNDS):
        finished = run([sys.executable, "-c", CHILD], children)
        parse, analyse, cpu, specs, layers, slowest, names = json.loads(finished.output)
        assert names == archcost.zoo_names()
        parsing.append(parse)
        analysing.append(analyse)
        processor.append(cpu)
    show(
        "The whole zoo: import, parse, load and analyse, in one process",
        ("specs", "networks", "layers", "import + parse", "load + analyse", "CPU time", "bar"),
        [
            (
                specs,
                len(names),
                f"{layers:,}",
                f"{milliseconds(parsing.best)} ({milliseconds(parsing.median)})",
                f"{milliseconds(analysing.best)} ({milliseconds(analysing.median)})",
                f"{milliseconds(processor.best)} ({milliseconds(processor.median)})",
                f"< {milliseconds(BAR)}",
            )
        ],
        f"best (median) of {ROUNDS} rounds; slowest network of the last round: {slowest[1]}, "
        f"{milliseconds(slowest[0])}; {versions()}",
    )
