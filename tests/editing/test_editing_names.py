"""Definitions, references, highlights and renaming, held to what elaboration finds and to the networks of before."""

from __future__ import annotations

import gc
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from archspec.diagnostics import Diagnostic, Edit
from archspec.editing.analysis import Analysis
from archspec.editing.families import Family
from archspec.editing.links import links
from archspec.editing.naming import Names, definition, highlights, references
from archspec.editing.renaming import CannotRename, Renaming, renamable, rename
from archspec.editing.symbols import Place, Symbol
from archspec.editing.workspace import Workspace
from archspec.located import Scalar
from archspec.positions import Lines, Position, end_of, start_of
from archspec.source import laid
from tests.editing.cursors import raised

BLOCKS = """\
archspec: 1
name: blocks
args: {ratio: 4}
blocks:
  gate:
    args: {size: 2}
    inputs: [x, scale]
    layers:
      - conv: {name: inner, from: x, filters: $(x.channels // ratio * size), kernel: 1}
      - conv: {name: outer, filters: $(x.channels), kernel: 1}
      - multiply: {from: [outer, scale]}
  plain:
    args: {size: 2}
    layers:
      - relu: {name: act}
"""

BASE = """\
archspec: 1
name: base
import: blocks.yaml?ratio=2
args: {width: 8, kinds: plain, deep: false}
input: {height: 16, width: 16, channels: 3}
blocks:
  unit:
    args: {filters: int, stride: 1}
    layers:
      - conv: {name: conv, filters: $(filters), kernel: 3, stride: $(stride), pad: same}
      - relu
layers: # of all
  - unit: {name: stem, filters: $(width)}
  - repeat:
      name: stage
      times: 2
      as: i
      layers:
        - unit: {name: first, filters: $(width * 2 ** i)}
        - unit: {name: second, filters: $(width * 2 ** i)}
  - conv: {name: tap, from: stage.1.second.conv, filters: 8, kernel: 1}
  - conv: {name: twin, from: stage.1.second, weights: tap, filters: 8, kernel: 1}
  - resize: {name: same, from: tap, like: stage.1}
  - gate: {name: g, from: [tap, same], size: 3}
  - $(kinds): {name: p, size: 1}
  - add: {from: [previous, $('tap' if not deep else 'twin')]}
  - flatten
  - dense: {name: fc, units: 10}
outputs: {logits: fc}
train:
  dataset: mnist5k
  rates: {stem: 0.5, "stage.*.first.conv": 0.1, "**.bias": 0}
weights:
  other:
    names: {stem.conv: a, "stage.*.first.conv": "b*", "stage.*.*.conv": "c*.*"}
variants:
  base: {}
  wide: {width: 16, lineage: {after: base}}
  wider: {extends: wide, width: 32, kinds: plain}
  deeper:
    deep: $(kinds == 'plain')
    layers:
      - flatten
      - dense: &last {name: fc, units: 10}
  deepest:
    extends: deeper
    layers: [flatten, {dense: *last}]
published:
  base: {params: 1, source: counted}
"""

USER = """\
# Uses the others.
archspec: 1
name: user
extends: base.yaml#wide?width=12
args: {more: $(width + 1)}
outputs: {logits: fc, early: {from: stem.conv, train_only: true}}
variants:
  one: {more: 3}
  two: {extends: one, width: 4}
"""


def unforeseen(error: Exception) -> Diagnostic:
    raise error


class Project:
    """Files in a folder, one of them open."""

    def __init__(self, folder: Path, **texts: str) -> None:
        self.folder = folder
        self.workspace = Workspace(unforeseen)
        for name, text in texts.items():
            (folder / f"{name}.yaml").write_text(text)

    def open(self, name: str) -> None:
        path = self.folder / f"{name}.yaml"
        self.workspace.put(path, path.read_text())

    def text(self, name: str) -> str:
        return (self.folder / f"{name}.yaml").read_text()

    def place(self, name: str, words: str, within: int = 0) -> Position:
        """The position of some words of a file."""
        text = self.text(name)
        assert words in text
        return Lines(text).position(text.index(words) + within)

    def analysis(self, name: str):  # type: ignore[no-untyped-def]
        self.open(name)
        found = self.workspace.analysis(self.folder / f"{name}.yaml")
        assert found is not None
        return found

    def shown(self, places: list[Place]) -> list[str]:
        """Places as file, line and what stands there."""
        found = []
        for place in places:
            lines = Lines(place.path.read_text())
            found.append(
                f"{place.path.stem}:{place.span.line} {lines.slice(place.span)}{' *' if place.definition else ''}"
            )
        return found

    def defined(self, name: str, words: str, within: int = 0) -> list[str]:
        return self.shown(definition(self.workspace, self.analysis(name), self.place(name, words, within)))

    def used(self, name: str, words: str, within: int = 0) -> list[str]:
        position = self.place(name, words, within)
        return self.shown(references(self.workspace, self.analysis(name), position, [self.folder]))

    def renamed(self, name: str, words: str, new: str, within: int = 0) -> Renaming:
        analysis, position = self.analysis(name), self.place(name, words, within)
        return rename(self.workspace, analysis, position, new, [self.folder])

    def write(self, edits: dict[Path, list[Edit]]) -> None:
        for path, changes in edits.items():
            text = path.read_text()
            lines = Lines(text)
            for edit in sorted(changes, key=lambda edit: edit.span[1:], reverse=True):
                start, end = lines.offset(start_of(edit.span)), lines.offset(end_of(edit.span))
                text = text[:start] + edit.text + text[end:]
            path.write_text(text)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path, blocks=BLOCKS, base=BASE, user=USER)


def test_the_files_have_no_faults(project: Project) -> None:
    for name in ("base", "user"):
        analysis = project.analysis(name)
        assert [item for item in analysis.now.diagnostics if item.severity == "error"] == []
        assert analysis.now.graph is not None


@pytest.mark.parametrize(
    ("file", "words", "within", "found"),
    [
        # Layers: in the chain, by a path, in a block, of fields, of weights, in outputs, in patterns.
        ("base", "from: tap,", 6, ["base:21 tap *"]),
        ("base", "stage.1.second.conv", 0, ["base:15 stage *"]),
        ("base", "stage.1.second.conv", 8, ["base:20 second *"]),
        ("base", "stage.1.second.conv", 15, ["base:10 conv *"]),
        ("base", "like: stage.1", 6, ["base:15 stage *"]),
        ("base", "weights: tap", 9, ["base:21 tap *"]),
        ("base", "'tap' if", 1, ["base:21 tap *"]),
        ("base", "'twin')", 1, ["base:22 twin *"]),
        ("base", "rates: {stem", 8, ["base:13 stem *"]),
        ("base", '"stage.*.first.conv": 0.1', 1, ["base:15 stage *"]),
        ("base", '"stage.*.first.conv": 0.1', 10, ["base:19 first *"]),
        ("base", "names: {stem.conv", 13, ["base:10 conv *"]),
        ("user", "from: stem.conv", 6, ["base:13 stem *"]),
        ("blocks", "[outer, scale]", 1, ["blocks:10 outer *"]),
        # Inputs of a block.
        ("blocks", "[outer, scale]", 8, ["blocks:7 scale *"]),
        ("blocks", "$(x.channels // ", 2, ["blocks:7 x *"]),
        # Blocks: called, and chosen by an argument.
        ("base", "- unit: {name: first", 2, ["base:7 unit *"]),
        ("base", "- gate: {name", 2, ["blocks:5 gate *"]),
        ("base", "kinds: plain, deep", 7, ["blocks:12 plain *"]),
        ("base", "width: 32, kinds: plain", 18, ["blocks:12 plain *"]),
        ("base", "== 'plain'", 4, ["blocks:12 plain *"]),
        # Arguments: in expressions, calls, variants, behind `?`.
        ("base", "$(filters)", 2, ["base:8 filters *"]),
        ("base", "first, filters:", 7, ["base:8 filters *"]),
        ("base", "from: [tap, same], size", 19, ["blocks:6 size *"]),
        ("base", "name: p, size", 9, ["blocks:13 size *"]),
        ("base", "wide: {width: 16", 7, ["base:4 width *"]),
        ("base", "?ratio=2", 1, ["blocks:3 ratio *"]),
        ("user", "?width=12", 1, ["base:4 width *"]),
        ("user", "one, width", 5, ["base:4 width *"]),
        ("user", "$(width + 1)", 2, ["base:4 width *"]),
        ("user", "one: {more", 6, ["user:5 more *"]),
        # Loop variables, variants, anchors, files.
        ("base", "2 ** i)}\n        - unit", 5, ["base:17 i *"]),
        ("base", "extends: wide", 9, ["base:38 wide *"]),
        ("base", "after: base", 7, ["base:37 base *"]),
        ("base", "published:\n  base", 13, ["base:37 base *"]),
        ("user", "#wide", 1, ["base:38 wide *"]),
        ("user", "extends: one", 9, ["user:8 one *"]),
        ("base", "*last", 1, ["base:44 last *"]),
        ("user", "base.yaml#wide", 0, ["base:1  *"]),
        ("base", "import: blocks.yaml", 10, ["blocks:1  *"]),
        # Nothing.
        ("base", "16, channels", 0, []),
        ("base", "# of all", 3, []),
    ],
)
def test_where_a_name_is_given(project: Project, file: str, words: str, within: int, found: list[str]) -> None:
    assert project.defined(file, words, within) == found


def test_a_layer_without_a_name_is_found_by_its_kind(tmp_path: Path) -> None:
    text = BASE.replace("from: tap,", "from: unit1,").replace("- unit: {name: stem,", "- unit: {")
    text = text.replace("rates: {stem: 0.5, ", "rates: {").replace("names: {stem.conv: a, ", "names: {")
    project = Project(tmp_path, blocks=BLOCKS, base=text)
    assert project.defined("base", "from: unit1", 6) == ["base:13 unit *"]
    with pytest.raises(CannotRename, match="it has its name from its kind and its place"):
        project.renamed("base", "from: unit1", "other", 6)


def test_all_uses_are_found_in_all_files(project: Project) -> None:
    assert project.used("base", "width: 8") == [
        "base:4 width *", "base:13 width", "base:19 width", "base:20 width", "base:38 width", "base:39 width",
        "user:4 width", "user:5 width", "user:9 width",
    ]  # fmt: skip
    assert project.used("blocks", "  plain:", 2) == [
        "blocks:12 plain *", "base:4 plain", "base:39 plain", "base:41 plain",
    ]  # fmt: skip
    assert project.used("base", "wide: {") == ["base:38 wide *", "base:39 wide", "user:4 wide"]
    assert project.used("base", "name: stem", 6) == ["base:13 stem *", "base:32 stem", "base:35 stem", "user:6 stem"]
    analysis = project.analysis("base")
    found = highlights(project.workspace, analysis, project.place("base", "name: tap", 6))
    assert [(item.span.line, item.given) for item in found] == [
        (21, True),
        *((line, False) for line in (22, 23, 24, 26)),
    ]


def test_names_of_a_half_written_text_are_those_that_it_had(project: Project) -> None:
    analysis = project.analysis("base")
    before = definition(project.workspace, analysis, project.place("base", "from: tap,", 6))
    text = project.text("base").replace("layers: # of all\n", "layers: # of all\n  - relu: {name: [\n  - conv: {\n")
    path = project.folder / "base.yaml"
    project.workspace.put(path, text)
    broken = project.workspace.analysis(path)
    assert broken is not None
    assert broken.now.root is None
    position = Lines(text).position(text.index("from: tap,") + 6)
    after = definition(project.workspace, broken, position)
    assert [place.span.line for place in after] == [place.span.line + 2 for place in before]
    assert definition(project.workspace, broken, Lines(text).position(text.index("name: [") + 1)) == []
    with pytest.raises(CannotRename, match="not YAML at the moment"):
        rename(project.workspace, broken, position, "other")


def test_renaming_changes_all_files_and_says_what_depends_on_it(project: Project) -> None:
    done = project.renamed("base", "name: stem", "entry", 6)
    assert {path.stem: [edit.span.line for edit in edits] for path, edits in done.edits.items()} == {
        "base": [13, 32, 35],
        "user": [6],
    }
    assert any("checkpoints of base.yaml#base have stem.conv under the old name" in note for note in done.notes)
    project.write(done.edits)
    assert "from: entry.conv" in project.text("user")
    assert "names: {entry.conv: a" in project.text("base")


@pytest.mark.parametrize(
    ("file", "words", "within", "new", "reason"),
    [
        ("base", "name: tap", 6, "twin", "there is a layer `twin` already"),
        ("base", "name: tap", 6, "a b", "`a b` cannot name a layer"),
        ("base", "name: tap", 6, "true", "`true` is a value in YAML"),
        ("base", "name: tap", 6, "12", "`12` is a value in YAML"),
        ("base", "name: tap", 6, "previous", "`previous` means something else"),
        ("base", "name: tap", 6, "tap", "it is called `tap`"),
        ("base", "  unit:\n", 2, "conv", "`conv` means something else"),
        ("base", "  unit:\n", 2, "gate", "base.yaml#base would have errors or warnings that it has not"),
        ("base", "width: 8", 0, "deep", "there is an argument `deep` already"),
        ("base", "width: 8", 0, "train", "`train` means something else"),
        ("base", "width: 8", 0, "when", "`when` means something else"),
        ("base", "width: 8", 0, "max", "`max` means something else"),
        ("base", "width: 8", 0, "i", "base.yaml#base would|of base.yaml#base would"),
        ("base", "logits: fc", 0, "scores", "is what runs and their records call it"),
        ("base", "16, channels", 0, "x", "there is no name here"),
        ("base", "relu\nlayers", 1, "x", "there is no name here"),
    ],
)
def test_what_is_not_renamed(project: Project, file: str, words: str, within: int, new: str, reason: str) -> None:
    with pytest.raises(CannotRename, match=reason):
        project.renamed(file, words, new, within)


def test_a_block_may_call_one_that_stands_behind_it(tmp_path: Path) -> None:
    text = BASE.replace("blocks:\n  unit", "blocks:\n  pair: {layers: [{unit: {filters: 4}}]}\n  unit")
    project = Project(tmp_path, blocks=BLOCKS, base=text)
    assert project.defined("base", "filters: 4}}", 0) == ["base:9 filters *"]


def test_names_that_expressions_make_are_not_renamed(tmp_path: Path) -> None:
    text = BASE.replace("name: stem,", "name: $('stem'),")
    project = Project(tmp_path, blocks=BLOCKS, base=text)
    with pytest.raises(CannotRename, match=r"`\$\(…\)` makes its name"):
        project.renamed("base", "rates: {stem", "x", 8)


def test_a_name_of_the_zoo_is_not_renamed(tmp_path: Path) -> None:
    text = "archspec: 1\nname: mine\nextends: lenet5\noutputs: {logits: output}\nargs: {classes: 11}\n"
    project = Project(tmp_path, mine=text)
    assert project.defined("mine", "logits: output", 8) == [
        "lenet:" + project.defined("mine", "logits: output", 8)[0][6:]
    ]
    with pytest.raises(CannotRename, match=r"`output` is given in lenet.yaml of the zoo"):
        project.renamed("mine", "logits: output", "last", 8)
    with pytest.raises(CannotRename, match=r"of the zoo"):
        project.renamed("mine", "classes: 11", "kinds")


def renamed_and_back(path: Path, text: str, step: int = 1) -> int:
    """Renames every name of a spec, or every so many of them, and back again; `rename` holds each to the networks.

    How many there are that could be.
    """
    count = 0
    workspace = Workspace(unforeseen)
    workspace.put(path, text)
    analysis = workspace.analysis(path)
    assert analysis is not None
    for symbol in Names.of(workspace, analysis).family.symbols()[::step]:
        mine = [place for place in symbol.definitions if place.path == path.resolve()]
        if not mine:
            continue
        workspace.put(path, text)
        before = workspace.analysis(path)
        assert before is not None
        try:
            place, name = renamable(workspace, before, start_of(mine[0].span))
            done = rename(workspace, before, start_of(mine[0].span), "zz9", [])
        except CannotRename as error:
            assert symbol.kind == "output" or symbol.fixed or "that a pattern names" in str(error), (symbol.name, error)
            continue
        count += 1
        assert name == symbol.name
        assert place.span[1:] == mine[0].span[1:]
        after = edited(text, done.edits[path.resolve()])
        assert after != text
        workspace.put(path, after)
        again = workspace.analysis(path)
        assert again is not None
        back = rename(workspace, again, start_of(mine[0].span), symbol.name, [])
        assert edited(after, back.edits[path.resolve()]) == text
    return count


def edited(text: str, edits: list[Edit]) -> str:
    lines = Lines(text)
    for edit in sorted(edits, key=lambda edit: edit.span[1:], reverse=True):
        text = text[: lines.offset(start_of(edit.span))] + edit.text + text[lines.offset(end_of(edit.span)) :]
    return text


@pytest.mark.slow
def test_every_name_of_the_projects_files_is_renamed_and_back(project: Project) -> None:
    assert renamed_and_back(project.folder / "base.yaml", BASE) == 24


@pytest.mark.slow
@pytest.mark.parametrize("stem", ["lenet", "unet", "squeezenet"])
def test_names_of_the_zoo_are_renamed_and_back(stem: str, tmp_path: Path) -> None:
    path = tmp_path / f"{stem}.yaml"
    text = Path(f"specs/zoo/{stem}.yaml").read_text()
    path.write_text(text)
    assert renamed_and_back(path, text, 3) > 3


@pytest.mark.parametrize("path", sorted(Path("specs").glob("*/*.yaml"))[::4], ids=lambda path: path.stem)
def test_what_is_read_from_the_text_is_what_elaboration_finds(path: Path) -> None:
    """Every name in `from` and so on that the trace knows stands for what the text alone says."""
    workspace = Workspace(unforeseen)
    workspace.put(path, path.read_text())
    analysis = workspace.analysis(path)
    assert analysis is not None
    trace = analysis.now.trace
    family = Family(workspace)
    index = family.add(path)
    assert index is not None
    assert trace is not None
    for use in trace.uses:
        mine = isinstance(use.place, Scalar) and use.place.source.name == str(path.resolve())
        if not mine or use.target is None or use.place.dynamic or "$(" in use.target.source.line(use.target.line):
            continue
        start, end = index.inner(use.place.span)
        last = index.text.rfind(".", start, end) + 1 or start
        found = family.at(index.path, index.lines.position(end))
        if use.name.rpartition(".")[2].isdigit() or start_of(use.target) == (1, 1):
            continue
        assert last >= start
        places = {(*place.span[1:],) for symbol in found for place in symbol.definitions}
        named = (*use.target[1:],)
        if named in places:
            continue
        # A layer without a name is known to elaboration alone.
        assert found == [] or str(use.target.source.name) != str(path.resolve()), (use.name, use.place.span)
    assert all(isinstance(symbol, Symbol) and symbol.places for symbol in family.symbols())


def test_files_and_papers_are_linked(project: Project) -> None:
    text = "# arXiv:1505.04597, doi:10.1038/nature14539.\n" + project.text("user")
    path = project.folder / "user.yaml"
    path.write_text(text)
    analysis = project.analysis("user")
    found = links(analysis, project.workspace)
    lines = Lines(text)
    assert [(lines.slice(link.span), link.url or (link.path.name if link.path else "")) for link in found] == [
        ("arXiv:1505.04597", "https://arxiv.org/abs/1505.04597"),
        ("doi:10.1038/nature14539", "https://doi.org/10.1038/nature14539"),
        ("base.yaml#wide?width=12", "base.yaml"),
    ]


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    st.integers(0, len(BASE)),
    st.integers(0, len(BASE)),
    st.sampled_from(["", "\n", "{", "- ", "$(", "'", "😀", "\u2028", ": ", "&x ", "*x", "#"]),
    st.integers(0, len(BASE)),
)
def test_no_text_brings_an_error(tmp_path: Path, at: int, cut: int, put: str, asked: int) -> None:
    project = Project(tmp_path, blocks=BLOCKS, base=BASE)
    path = project.folder / "base.yaml"
    text = BASE[:at] + put + BASE[at : max(at, cut)] if cut % 3 else BASE[:at] + put + BASE[at:]
    project.workspace.put(path, BASE, ours=True)
    project.workspace.analysis(path)
    project.workspace.put(path, text)
    analysis = project.workspace.analysis(path)
    assert analysis is not None
    lines = analysis.now.lines
    position = lines.position(min(asked, len(text)))
    for place in definition(project.workspace, analysis, position):
        if place.path == path.resolve():
            assert lines.position(lines.offset(start_of(place.span))) == start_of(place.span)
            assert place.span.end_line <= lines.count
    for item in highlights(project.workspace, analysis, position):
        assert item.span.end_line <= lines.count
    links(analysis, project.workspace)
    try:
        rename(project.workspace, analysis, position, "other")
    except CannotRename as error:
        assert str(error)


def test_what_is_known_of_older_texts_goes_with_them(tmp_path: Path) -> None:
    path, workspace = tmp_path / "net.yaml", Workspace(raised)
    for number in range(12):
        text = f"archspec: 1\nname: net\ninput: {{features: {number + 2}}}\nlayers: [dense: {{name: a, units: 2}}]\n"
        workspace.put(path, text)
        with laid(workspace):
            analysis = workspace.analysis(path)
            assert analysis is not None
            at = Lines(text).position(text.index("a, units"))
            assert len(references(workspace, analysis, at)) == len(highlights(workspace, analysis, at)) == 1
            assert definition(workspace, analysis, at)
    gc.collect()
    assert sum(isinstance(item, Analysis) and item.now.path == path for item in gc.get_objects()) == 1
