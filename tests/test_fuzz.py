"""Mutated specs and bytes: every one gets an answer, none a traceback."""

from __future__ import annotations

import copy
import random
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from archspec.diagnostics import SpecError
from archspec.loading import open_specs
from archspec.output import as_json
from archspec.rendering import render_text
from archspec.zoo import zoo_folder

RICH = """
archspec: 1
name: rich
args: {classes: 10, depths: [2, 1], width: 4, act: relu}
variants: {small: {}, deep: {depths: [3, 2]}, other: {input: {height: 24}, layers: [flatten, {dense: 3}]}}
input: {height: 16, width: 16, channels: 3, range: [0, 1], mean: [0.5, 0.5, 0.5], fit: resize}
defaults: {conv: {bias: false, init: he_normal, pad: same}}
blocks:
  unit:
    args: {width: int, stride: 1}
    layers:
      - residual:
          shortcut: auto
          layers:
            - conv: {name: a, filters: $(width), kernel: 3, stride: $(stride)}
            - batch_norm
            - $(act)
layers:
  - conv: {name: stem, filters: $(width), kernel: [3, 3]}
  - repeat:
      times: $(len(depths))
      as: s
      layers:
        - repeat: {name: stage$(s), times: "$(depths[s])", as: i, layers: [{unit: {width: $(width * 2 ** s)}}]}
  - parallel: {name: mix, join: concat, branches: {one: [{conv: {filters: 2, kernel: 1}}], same: []}}
  - max_pool: {window: 2, rounding: ceil}
  - dropout: 0.5
  - global_avg_pool: {name: gap}
  - dense: {name: aux, units: $(classes), from: gap, when: "$(len(depths) > 1)"}
  - dense: {name: fc, units: $(classes), from: gap}
outputs: {logits: fc, side: {from: aux, weight: 0.3, train_only: true}}
train:
  dataset: {npz: {path: none.npz}}
  batch_size: 8
  epochs: 2
  optimiser: {adamw: {learning_rate: 5e-4, weight_decay: 0.1}}
  schedule: {step: {milestones: [1], warmup: 0.5}}
  loss: {cross_entropy: {label_smoothing: 0.1}}
published: {small: {params: 5, source: nowhere}}
"""
SEVERAL = """
archspec: 1
name: several
args: {size: 8, rate: 16}
inputs:
  left: {height: $(size), width: 8, channels: 1, mean: [0.5]}
  right: {height: $(size), width: 8, channels: 1}
  sound: {length: $(rate * 2), channels: 2, std: 3}
  number: {features: 5, mean: [1, 2, 3, 4, 5]}
variants: {base: {}, longer: {inputs: {sound: {length: 40}, number: null}, layers: [{relu: {from: left}}]}}
blocks:
  encoder: {layers: [{conv: {filters: 4, kernel: 3, pad: same}}, relu, global_avg_pool]}
layers:
  - encoder: {name: a, from: left}
  - encoder: {name: b, from: right, weights: a}
  - conv: {name: c, from: sound, filters: 3, kernel: 5, stride: 2}
  - max_pool: {window: 2}
  - flatten: {name: heard}
  - dense: {name: told, from: number, units: 4}
  - concat: {from: [a, b, heard, told]}
  - dense: 3
outputs: {same: dense1, side: {from: told, weight: 0.3}}
"""
# Those of LibYAML where they are: several times as fast.
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
BASES = [RICH, SEVERAL, *(path.read_text("utf-8") for path in sorted(zoo_folder().glob("*.yaml")))]
TREES = [yaml.load(text, Loader=LOADER) for text in BASES]
ODD: list[Any] = [
    None, True, -1, 0, 7, 2**31, 10**30, 1.5, -0.0, 1e308, float("inf"), float("nan"), "", "x", "$(", "$(1/0)",
    "$(width)", "$(depths)", "$(9**9**9)", "same", "conv", "a.b", "input", "é\u202e", "\x00", "no", [], {}, [[]],
    [None], {"": 1},
    {"conv": 1}, {"name": "stem"}, [1, 2], [[1, 2], [3, 4]], [-1, 2], ["relu"] * 3, "$(" * 50, "x" * 5000,
]  # fmt: skip


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path]
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        found.extend(places(child, (*path, key)))
    return found


def mutated(tree: Any, choose: random.Random) -> Any:
    """The tree with one part dropped, renamed, retyped, wrapped, doubled, deepened, lengthened or moved."""
    tree = copy.deepcopy(tree)
    path = choose.choice(places(tree)[1:])
    parent = tree
    for key in path[:-1]:
        parent = parent[key]
    key, value = path[-1], parent[path[-1]]
    how = choose.randrange(9)
    if how == 0:
        del parent[key]
    elif how == 1 and isinstance(parent, dict) and isinstance(key, str):
        parent[choose.choice([key + "x", key[:-1] or "y", key.upper(), "name", "from", "when"])] = parent.pop(key)
    elif how == 2:
        parent[key] = choose.choice(ODD)
    elif how == 3:
        parent[key] = choose.choice([[value], {"conv": value}, {"x": value}, [value, value], {"repeat": value}])
    elif how == 4 and isinstance(value, list):
        parent[key] = value * choose.choice([2, 40])
    elif how == 5:
        for _ in range(choose.choice([5, 70])):
            value = choose.choice([[value], {"residual": {"layers": [value]}}])
        parent[key] = value
    elif how == 6 and isinstance(value, str):
        parent[key] = choose.choice([value * 30, value[::-1], f"$({value})", f"$({value} + 1)"])
    elif how == 7 and isinstance(value, int):
        parent[key] = choose.choice([-value, value + 1, value * 10**6, float(value), str(value)])
    else:
        source = choose.choice(places(tree)[1:])
        found = tree
        for part in source:
            found = found[part]
        parent[key] = copy.deepcopy(found)
    return tree


def answer(path: Path) -> None:
    """Validates every variant as the command does, and renders what it finds."""
    try:
        diagnostics = [item for spec in open_specs(str(path)) for item in spec.diagnostics]
    except SpecError as error:
        diagnostics = list(error.diagnostics)
        assert diagnostics
    render_text(diagnostics, colour=True)
    as_json([item.to_json() for item in diagnostics])


JUNK = [b"", b"\xff\xfe", b"\x00", b"[", b"}", b"&a", b"*a ", b"!!x ", b"\t", b"$(", b": ", b"- "]

quiet = settings(
    derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate]
)


def answer_mutated(tmp_path_factory: Any, seed: int, tree: Any, times: int) -> None:
    choose = random.Random(seed)
    for _ in range(times):
        if isinstance(tree, dict) and tree:
            tree = mutated(tree, choose)
    path = tmp_path_factory.getbasetemp() / "mutated.yaml"
    text = yaml.dump(tree, Dumper=DUMPER, allow_unicode=choose.random() < 0.5, sort_keys=choose.random() < 0.3)
    path.write_text(text, "utf-8", errors="replace")
    answer(path)


SEEDS = st.integers(0, 2**40)
TREE, TIMES = st.integers(0, len(TREES) - 1), st.integers(1, 4)


@settings(quiet, max_examples=60)
@given(seed=SEEDS, base=TREE, times=TIMES)
def test_mutated_specs_are_answered(tmp_path_factory: Any, seed: int, base: int, times: int) -> None:
    answer_mutated(tmp_path_factory, seed, TREES[base], times)


@pytest.mark.minutes
@settings(quiet, max_examples=1000)
@given(seed=SEEDS, base=TREE, times=TIMES)
def test_many_mutated_specs_are_answered(tmp_path_factory: Any, seed: int, base: int, times: int) -> None:
    answer_mutated(tmp_path_factory, seed, TREES[base], times)


@settings(quiet, max_examples=80)
@given(seed=SEEDS, base=TREE)
def test_mutated_bytes_are_answered(tmp_path_factory: Any, seed: int, base: int) -> None:
    answer_bytes(tmp_path_factory, seed, base)


@pytest.mark.minutes
@settings(quiet, max_examples=500)
@given(seed=SEEDS, base=TREE)
def test_many_mutated_bytes_are_answered(tmp_path_factory: Any, seed: int, base: int) -> None:
    answer_bytes(tmp_path_factory, seed, base)


def answer_bytes(tmp_path_factory: Any, seed: int, base: int) -> None:
    choose = random.Random(seed)
    data = bytearray(BASES[base].encode())
    for _ in range(choose.randrange(1, 6)):
        start = choose.randrange(len(data))
        end = start + choose.choice([1, 3, 40])
        data[start:end] = choose.choice(JUNK) * choose.choice([1, 1, 200]) or bytes(
            choose.randrange(256) for _ in range(4)
        )
    path = tmp_path_factory.getbasetemp() / "bytes.yaml"
    path.write_bytes(bytes(data))
    answer(path)
