"""The pages of docs/ against the classes that they describe."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path
from textwrap import dedent

import pytest
import yaml

from archspec.cli import main
from archspec.kinds import Kind, KindOf, builtin_kinds, find_kind
from archspec.loading import open_spec
from archspec.optimisers import Optimiser
from archspec.reports.kinds import kind_to_dict, written
from archspec.spec.train import Train
from tests.digits import some_digits
from tests.shown import Shown, agrees, printed, shown, told

DOCS = Path(__file__).parent.parent / "docs"
SECTIONS = dict(re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", (DOCS / "datasets.md").read_text("utf-8"), re.M | re.S))


@pytest.mark.parametrize("name", builtin_kinds("data"))
def test_datasets_are_documented_with_every_field(name: str) -> None:
    """Fields, defaults and words are the class's, so that `archspec layers` and the page say the same."""
    rows = re.findall(r"^\| `(\w+)` \| (.*?) \| (.*?) \|$", SECTIONS[name], re.M)
    fields = kind_to_dict(name, "data")["fields"]
    assert rows == [
        (field, "required" if facts["required"] else written(facts["default"]), facts["description"])
        for field, facts in fields.items()
    ]


@pytest.mark.parametrize("name", builtin_kinds("data"))
def test_examples_of_datasets_are_right(name: str) -> None:
    examples = re.findall(r"^    train:\n(?:      .*\n)+", SECTIONS[name], re.M)
    assert examples
    for example in examples:
        assert type(KindOf("data")(yaml.safe_load(example)["train"]["dataset"])) is find_kind("data", name)


def test_augmentations_are_documented_with_every_field() -> None:
    page = (DOCS / "augmentation.md").read_text("utf-8")
    sections = dict(re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", page, re.M | re.S))
    assert set(sections) == set(builtin_kinds("augmentations"))
    for name, section in sections.items():
        rows = re.findall(r"^\| `(\w+)` \| (.*?) \| (.*?) \|$", section, re.M)
        fields = kind_to_dict(name, "augmentations")["fields"]
        assert rows == [
            (field, "required" if facts["required"] else written(facts["default"]), facts["description"])
            for field, facts in fields.items()
        ]
        (examples,) = re.findall(rf"^\| `{name}` \| .*? \| (.*?) \|$", page.split("\n## ")[0], re.M)
        for example in re.findall("`(.*?)`", examples):
            assert type(KindOf("augmentations")(yaml.safe_load(example))) is find_kind("augmentations", name)


def test_every_field_of_train_is_documented() -> None:
    section = (DOCS / "training.md").read_text("utf-8").split("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)` \| (.*?) \| (.*?) \|$", section, re.M)

    def default(value: object) -> str:
        if not isinstance(value, Kind):
            return written(value)
        kind = type(value).__module__.rpartition(".")[2]
        return f"{kind}: {value.learning_rate}" if isinstance(value, Optimiser) else kind

    assert rows == [(name, default(info.default), info.description) for name, info in Train.model_fields.items()]


def test_every_task_loss_and_metric_is_documented() -> None:
    """In the table of its family, with the figures that a metric gives and what a loss applies."""
    sections = (DOCS / "training.md").read_text("utf-8").split("\n## ")
    for family, title in (("tasks", "Tasks"), ("losses", "Losses"), ("metrics", "What the figures mean")):
        section = next(section for section in sections if section.startswith(title))
        rows = re.findall(r"^\| (`.*?) \|", section, re.M)
        named = {re.split(r"\W", name)[0] for row in rows for name in re.findall(r"`(.*?)`", row)}
        assert set(builtin_kinds(family)) <= named, title


LANGUAGE = re.findall(r"(?:^    .*\n)+", (DOCS / "language.md").read_text("utf-8"), re.M)
HEAD = "archspec: 1\nname: net\n"


@pytest.mark.parametrize(
    "example", [dedent(text) for text in LANGUAGE if "archspec: 1" in text], ids=["small", "siamese"]
)
def test_the_specs_of_the_page_on_the_language_are_right(example: str, tmp_path: Path) -> None:
    (tmp_path / "net.yaml").write_text(example)
    assert open_spec(str(tmp_path / "net.yaml")).diagnostics == ()


def test_blocks_are_called_as_the_page_on_the_language_does(tmp_path: Path) -> None:
    (example,) = [dedent(text) for text in LANGUAGE if text.startswith("    blocks:") and "fuse" in text]
    before = "".join(
        f"  - conv: {{name: {name}, from: input, filters: 4, kernel: 1}}\n" for name in ("deep", "shallow")
    )
    text = f"{HEAD}input: {{height: 8, width: 8, channels: 3}}\n{example}".replace(
        "\nlayers:\n", f"\nlayers:\n{before}"
    )
    (tmp_path / "net.yaml").write_text(text)
    assert open_spec(str(tmp_path / "net.yaml")).graph().nodes[-1].output.shape == (8, 8, 68)


def test_inputs_are_read_as_the_page_on_the_language_has_them(tmp_path: Path) -> None:
    (example,) = [dedent(text) for text in LANGUAGE if "13}" in text]
    head, several = example.split("inputs:")
    one = [line + "\n" for line in head.splitlines()]
    shapes = []
    for text in (*one, f"inputs:{several}"):
        first = "picture" if text.startswith("inputs") else "input"
        (tmp_path / "net.yaml").write_text(f"{HEAD}{text}layers: [identity: {{from: {first}}}]\n")
        shapes.append([str(item.type) for item in open_spec(str(tmp_path / "net.yaml")).graph().inputs])
    assert shapes == [["224×224×3"], ["16000×1"], ["13"], ["28×28×1", "10"]]


def test_every_section_is_a_dataset() -> None:
    assert set(SECTIONS) == set(builtin_kinds("data"))


def test_the_readme_shows_what_the_report_prints(capsys: pytest.CaptureFixture[str]) -> None:
    readme = (DOCS.parent / "README.md").read_text("utf-8")
    command = "archspec report specs/examples/digits.yaml --memory 16GiB"
    shown = re.findall(rf"^    \$ {re.escape(command)}\n((?:    .*\n|\n)+)", readme, re.M)[0]
    assert main([str(DOCS.parent / word) if word.endswith(".yaml") else word for word in command.split()[1:]]) == 0
    assert [line.removeprefix("    ") for line in shown.rstrip().splitlines()] == capsys.readouterr().out.splitlines()


STORIES = ("tutorial.md", "from-a-paper.md")
"""Pages whose commands are typed one after another, beside files that the page has one write."""

ELSEWHERE = {
    ("diff.md", "archspec diff"): "run below, in a repository that has changed as the page says",
    ("sweep.md", "archspec sweep specs/examples/digits.yaml --set train.optimiser"): "trains 3 runs: a minute",
    ("diagnostics.md", ""): "made of the codes, whose examples tests/test_codes.py runs",
}
"""Commands that are not run from the repository to be compared with what the page shows, and why."""

SHOWN = [(path, example) for path in sorted(DOCS.rglob("*.md")) for example in shown(path)]


def elsewhere(path: Path, example: Shown) -> str | None:
    """Why a command is not run from the repository."""
    if path.name in STORIES:
        return "typed with the others of its page"
    return next(
        (why for (page, begins), why in ELSEWHERE.items() if page == path.name and example.command.startswith(begins)),
        None,
    )


RUN = [(path, example) for path, example in SHOWN if elsewhere(path, example) is None]


def test_every_command_that_shows_what_it_prints_is_run() -> None:
    """Or is listed with the reason: 2 of the pages' are not run, of which one is run in a test of its own."""
    left = [example.command for path, example in SHOWN if path.name not in STORIES and elsewhere(path, example)]
    assert len(left) == 2 and len(RUN) >= 14, left
    told_of = sum(path.name in STORIES for path, _ in SHOWN)
    assert told_of >= 15 and len(SHOWN) == len(RUN) + len(left) + told_of
    fenced = [path.name for path in DOCS.rglob("*.md") if re.search(r"^```console$", path.read_text("utf-8"), re.M)]
    assert fenced == ["diagnostics.md"], "commands in fences are not seen here: indent them by four"


@pytest.mark.parametrize(
    ("path", "example"), RUN, ids=[f"{path.stem}-{example.command[9:50]}" for path, example in RUN]
)
def test_commands_print_what_the_page_shows(path: Path, example: Shown, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(DOCS.parent)
    assert agrees(example.lines, printed(example.command)), path.name


@pytest.mark.slow
def test_the_tutorial_goes_as_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the spec with its mistakes to the exported files; what comes of training may have other numbers."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(DOCS / "pictures" / "seven.png", "seven.png")
    assert told(DOCS / "tutorial.md") == []


def test_the_page_on_papers_goes_as_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert told(DOCS / "from-a-paper.md") == []


def commands_of(path: Path) -> list[str]:
    """The commands of archspec that a page has in blocks of their own, without what is said behind them."""
    text = path.read_text("utf-8")
    fenced = "\n".join(re.findall(r"^ *```bash\n(.*?)^ *```", text, re.M | re.S))
    lines = re.findall(r"^    (?:\$ )?(archspec (?:.*\\\n)*.*)$", text, re.M)
    lines += re.findall(r"^ *(archspec .*)$", fenced, re.M)
    words = [re.sub(r"\s+#\s.*$|\s{2,}\S.*$", "", line.replace("\\\n", " ")) for line in lines]
    return list(dict.fromkeys(words))


@pytest.mark.parametrize("path", sorted(DOCS.rglob("*.md")), ids=lambda path: path.stem)
def test_every_command_of_a_page_parses(path: Path) -> None:
    """Its options are options, also where it is not run."""
    from archspec.cli import COMMANDS, _options

    for command in commands_of(path):
        line = re.split(r"\s[|>&]", re.sub(r"\[[^\]]*…\]", "", command))[0]
        words = [word for word in shlex.split(line) if word != "…"]
        if len(words) < 2 or words[1].startswith("-") or "…" in line or "[" in line:
            continue  # a form of a command, not one
        assert words[1] in COMMANDS, command
        try:
            assert _options(words[1:], words[1]).parser is not None, command
        except SystemExit:
            pytest.fail(f"{path.name}: {command}")


def test_what_a_page_shows_is_compared() -> None:
    """Every line, but for those that `…` stands for."""
    assert agrees(("a", "…", "d"), ["a", "b", "c", "d"])
    assert not agrees(("a", "…", "d"), ["a", "b", "c"])
    assert not agrees(("a", "b"), ["a", "b", "c"])
    assert agrees(("a, …",), ["a, b, c"]) and not agrees(("a, …",), ["b, c"])
    assert agrees(("loss 0.5  top-1 8 %",), ["loss 0.25 top-1 12.5 %"], exact=False)
    assert not agrees(("loss 0.5",), ["loss 0.25"]) and not agrees(("loss 0.5",), ["cost 0.5"], exact=False)


def test_the_page_on_differences_shows_what_diff_prints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of the example, changed as the page says it was."""
    page = (DOCS / "diff.md").read_text("utf-8")
    shown = re.findall(r"^    \$ archspec diff\n((?:    .*\n|\n)+)", page, re.M)[0]
    text = (DOCS.parent / "specs" / "examples" / "digits.yaml").read_text("utf-8")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.yaml").write_text(text)
    who = ["-c", "user.name=somebody", "-c", "user.email=somebody@example.org"]
    for words in (["init", "-q"], ["add", "-A"], [*who, "commit", "-q", "-m", "first"]):
        subprocess.run(["git", *words], check=True)
    (tmp_path / "net.yaml").write_text(text.replace("filters: 16", "filters: 24").replace("0.003", "0.001"))
    assert main(["diff"]) == 0
    assert [line.removeprefix("    ") for line in shown.rstrip().splitlines()] == capsys.readouterr().out.splitlines()


def test_the_page_on_differences_gives_commands_that_parse(capsys: pytest.CaptureFixture[str]) -> None:
    """Each at its beginning; that of a revision is that of `archspec diff --help`."""
    page = (DOCS / "diff.md").read_text("utf-8")
    assert len(re.findall(r"^    archspec diff\b", page, re.M)) == 8
    for option in set(re.findall(r"`(--[a-z-]+)", page)) - {"--skip-others"}:
        assert main(["diff", "--help"]) == 0 and option in capsys.readouterr().out


@pytest.mark.slow
def test_examples_of_the_python_page_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of them, one after another, beside what they name: a run, pictures, a spec, data."""
    import numpy as np
    from PIL import Image

    from archspec.loading import load
    from archspec.training.run import train

    text = (DOCS / "python.md").read_text("utf-8")
    examples = re.findall(r"^```python\n(.*?)^```", text, re.M | re.S)
    assert len(examples) >= 5 and "archspec.open" in examples[0] and examples[0].count("\n") <= 5
    monkeypatch.chdir(tmp_path)
    with np.load(some_digits(tmp_path, 25)) as file:
        images, labels = file["x"], file["y"]
    Path("photos").mkdir()
    for path in ("seven.png", "photos/a.png", "photos/b.png"):
        Image.fromarray(images[labels == 7][0]).save(path)
    Path("specs").mkdir()
    Path("specs/digits.yaml").write_text(
        "archspec: 1\nname: digits\ninput: {height: 28, width: 28, channels: 1}\n"
        "layers: [{conv: {name: c1, filters: 2, kernel: 5, stride: 5}}, batch_norm, dropout, flatten, "
        "{dense: {name: out, units: 10}}]\n"
        "train: {dataset: {npz: ../digits.npz}, epochs: 1, batch_size: 40}\n"
    )
    train(load("specs/digits.yaml"), "runs/digits", progress=False)
    names: dict[str, object] = {}
    with pytest.warns(UserWarning, match="not on the run's own data"):
        for example in examples:
            exec(example, names)
    assert type(names["found"]).__name__ == "Classes"


def test_the_python_page_names_what_is_there() -> None:
    """The lists of names at its end, and the fields of each type of predictions."""
    from archspec.inference import predictions
    from archspec.inference.run import Run
    from archspec.training.result import Result

    text = (DOCS / "python.md").read_text("utf-8")
    public = {name for name in vars(Run) if not name.startswith("_")} | {"spec", "graph"}
    listed = re.search(r"a `Run` has (.*?); a `Result`", text, re.S)
    assert listed and set(re.findall(r"`(\w+)`", listed[1])) == public
    listed = re.search(r"a `Result` has (.*)\.", text, re.S)
    assert listed and all(
        hasattr(Result, name) or name in Result.__dataclass_fields__ for name in re.findall(r"`(\w+)", listed[1])
    )
    for kind, words in re.findall(r"^\| \w+ \| `(\w+)` \| (.*) \|$", text, re.M):
        own = getattr(predictions, kind)
        assert all(hasattr(own, n) or n in own.__dataclass_fields__ for n in re.findall(r"`(\w+)", words)), kind
