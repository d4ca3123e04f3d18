"""Numbers and nouns agree, and so do articles: there is a helper for each, and no sentence does it by itself."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import archspec
from archspec.diagnostics import article, count

ROOT = Path(archspec.__file__).parent
NOUNS = (
    "array axis batch block byte cell channel character class column core entry epoch error feature file filter frame "
    "group head image index input item key kind label layer line loss metric network node number output parameter "
    "part pixel position round row sample step target tensor text time unit value warning weight window"
)
PLURALS = re.compile(rf" ({'|'.join(count(2, noun)[2:] for noun in NOUNS.split())})\b")
ARTICLE = re.compile(r"\b[Aa]n? `?$")
AGREES = re.compile(r"(listed|count|article)\(|'|(\w+\.)?_?[A-Z][A-Z0-9_]+$")
"""Helpers, literals and constants, which are large."""

NEVER_ONE = """
augmentations/blur.py: kernel
augmentations/cutout.py: box
comparing/gathering.py: len(beside)
comparing/markdown.py: limit
data/_arrays.py: array.size
data/_digits.py: train + test
data/_files.py: _said(shape); data.whose(part); dtype.itemsize; len(images); len(made); len(split)
data/_index.py: len(wanted)
data/cifar.py: classes
data/digit_canvas.py: pixels
data/digit_sets.py: 2 ** 31
data/waveforms.py: values
diagnostics.py: more; word
drawing/paper_look.py: si(graph.count('trainable'))
drawing/raster.py: size
elaborate/outputs.py: len(end)
elaborate/placing.py: high
elaborate/unfound.py: len(names)
explaining/attack_pictures.py: attack.steps
explaining/attributing.py: done.steps
explaining/attribution_pictures.py: len(array)
explaining/choosing.py: question.takes
explaining/layer_pictures.py: array.shape[-1]; len(kernels)
explaining/page.py: len(own); number
explaining/unit_pictures.py: len(paths); unit.part
explaining/units.py: search.steps; where
expressions.py: len(self.types)
figures/arithmetic.py: field.size[1]
images/limits.py: width
inference/archives.py: len(there)
inference/samples.py: len(inputs)
inference/written.py: most
layers/_groups.py: groups
layers/_window.py: field
layers/conv.py: self.groups
layers/crop.py: axis
layers/depth_to_space.py: self.block
layers/rbf.py: self.units; size; x.size
layers/self_attention.py: self.heads
layers/space_to_depth.py: axis
layers/transposed_conv.py: self.groups
loading.py: len(inputs)
manual/kinds.py: most
metrics/_base.py: len(values)
nn/given.py: len(inputs)
reports/cells.py: len(row); len(self.head)
reports/plan.py: needed; short(factor)
reports/roofline.py: prediction.throughput
reports/roofline_plot.py: prediction.throughput
reports/tables.py: role
reports/zoo_plot.py: classes; len(items)
review/confusion.py: len(rows); len(self.names)
review/curves.py: len(rows)
review/of_numbers.py: len(self.names)
runs/folder.py: len(lines)
spec/meshing.py: labels
spec/network.py: self.short_side
survey/words.py: len(classes)
sweeping/space.py: search
tasks/_numbers.py: output
tasks/classification.py: target.shape[1]; word
training/adapting.py: array.shape[1]; made[0].shape[1]
training/beginning.py: len(layers)
training/checks.py: last
training/failure.py: scale
training/feeding.py: devices
training/notes.py: ways_said(moving)
tuning/tables.py: PROGRAMS[mode]; case.groups; short(step.ratio)
walking/invariance.py: max(pixels); self.section.channels; where
walking/numbers.py: _by(spatial); several
walking/ranges.py: len(values); max(-low, high)
walking/tables.py: found.inner; found.overlap; len(sweep.values)
walking/text.py: len(rest)
"""
"""Of each file the values that are never one where the text is said, or begin with no vowel; shapes and rates too."""


def test_the_helpers() -> None:
    for word, plural in zip(
        ["layer", "class", "axis", "index", "batch", "epoch", "entry", "key"],
        ["layers", "classes", "axes", "indexes", "batches", "epochs", "entries", "keys"],
        strict=True,
    ):
        assert (count(1, word), count(2, word)) == (f"1 {word}", f"2 {plural}")
    assert count(0, "error") == "0 errors" and count(1234, "byte") == "1,234 bytes"
    for kind in ("add", "elu", "identity", "unpool", "int", "ArrayImpl", "OrderedDict"):
        assert article(kind) == f"an {kind}"
    for kind in ("conv", "uint8", "unit", "dict"):
        assert article(kind) == f"a {kind}"


def sentences(path: Path) -> Iterator[tuple[str, str, str]]:
    """Each value in the f-strings of a file, with the text before and after it."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        parts = node.values if isinstance(node, ast.JoinedStr) else []
        texts = [str(part.value) if isinstance(part, ast.Constant) else "" for part in parts] + [""]
        for index, part in enumerate(parts):
            if isinstance(part, ast.FormattedValue):
                yield ast.unparse(part.value), texts[index - 1] if index else "", texts[index + 1]


def test_no_sentence_counts_by_itself() -> None:
    lines = (line.split(": ", 1) for line in NEVER_ONE.strip().splitlines())
    known = {(path, value) for path, values in lines for value in values.split("; ")}
    found = set()
    for path in sorted(ROOT.rglob("*.py")):
        for value, before, after in sentences(path):
            # `3 of the 5 numbers`: a part of several.
            plural = PLURALS.match(after) and not before.endswith(" of the ")
            alone = not AGREES.match(value) and (plural or ARTICLE.search(before))
            if alone:
                found.add((path.relative_to(ROOT).as_posix(), value))
    assert found <= known
