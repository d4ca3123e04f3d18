"""Every mend is made: its finding is gone with it, and nothing has come.

tests/mends.txt has specs with a fault: `== NAME`, the spec without what begins each, and for each mend of what is found
in it `-- certain` or `-- offered` with the help line, and what becomes of the spec. After a wanted change:
`UPDATE_MENDS=1 python -m pytest tests/test_mends.py`, and read the difference.
"""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from archspec.cli import main
from archspec.codes import CODES, Code, complete
from archspec.commands.validate import findings_of
from archspec.diagnostics import Diagnostic, Findings, Mend
from archspec.mending import Mender, Reading, applied, edits_by_file, known
from archspec.zoo import zoo_files

FILE = Path(__file__).parent / "mends.txt"
HEAD = "archspec: 1\nname: net\n"

BROUGHT_TO_LIGHT = {
    "blocks.yaml": {"strides"},
    "augmentations.yaml": {"RandomErasing"},
    "conv_does_not_fit.yaml": {"does not fit"},
    "vectors_and_maps.yaml": {"dense takes"},
    "defaults_and_outputs.yaml": {"konv"},
    "yaml_errors.yaml": {"not YAML"},
}
"""Of specs with many faults, findings whose mends bring others to light, by a part of their message."""


def cases() -> Iterator[tuple[str, str, list[tuple[str, str]]]]:
    """Name, spec, and mends: the line of each, and the spec with it."""
    for block in FILE.read_text("utf-8").split("== ")[1:]:
        first, *rest = re.split(r"^-- ", block, flags=re.MULTILINE)
        name, _, text = first.partition("\n")
        yield name, text, [(line, after) for line, _, after in (part.partition("\n") for part in rest)]


CASES = list(cases())


def read(target: str) -> Reading:
    findings = Findings()
    found, _ = findings_of(target, (), findings)
    return Reading(tuple(found), frozenset(path.resolve() for path in findings.files))


def mends_of(path: Path) -> list[tuple[Diagnostic, Mend, str]]:
    """Every mend of what is found in a file, and the text with it alone."""
    made = []
    for item in read(str(path)).findings:
        for mend in item.mends:
            ((file, edits),) = edits_by_file([mend]).items()
            assert file == path.resolve()
            made.append((item, mend, applied(edits[0].span.source.text, edits)))
    return made


def told(path: Path, capsys: pytest.CaptureFixture[str]) -> Counter[tuple[str, str]]:
    """What `validate` says of a file: codes and words but for numbers."""
    main(["validate", str(path), "--format", "json"])
    items = json.loads(capsys.readouterr().out)
    return Counter((item["code"], re.sub(r"\d+", "0", item["message"])) for item in items)


@pytest.mark.parametrize(("name", "text", "wanted"), CASES, ids=[name for name, _, _ in CASES])
def test_each_mend_is_as_recorded(
    name: str, text: str, wanted: list[tuple[str, str]], write: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(text)
    found = mends_of(path)
    lines = [f"{'certain' if mend.certain else 'offered'}: {mend.help}" for _, mend, _ in found]
    assert all(
        mend.help in item.help or mend.help.split(":")[0].strip("`") in str(item.help) for item, mend, _ in found
    )
    afters = [after.removeprefix(HEAD) for _, _, after in found]
    if os.environ.get("UPDATE_MENDS"):
        record(name, text, list(zip(lines, afters, strict=True)))
    else:
        assert list(zip(lines, afters, strict=True)) == wanted
    before = told(path, capsys)
    for item, mend, after in found:
        path.write_text(after, "utf-8")
        now = told(path, capsys)
        assert not now - before, mend.help
        key = (item.code, re.sub(r"\d+", "0", item.message))
        assert now[key] < before[key], mend.help


def record(name: str, text: str, mends: list[tuple[str, str]]) -> None:
    blocks = {name: (text, mends) for name, text, mends in cases()}
    blocks[name] = (text, mends)
    FILE.write_text(
        "".join(
            f"== {name}\n{text}" + "".join(f"-- {line}\n{after}" for line, after in mends)
            for name, (text, mends) in blocks.items()
        ),
        "utf-8",
    )


HIDING = {"E107": {"keys are text"}, "E221": {"`filters`"}, "W307": {"is a map of"}}
"""The same of the codes' examples."""

EXAMPLES = [code for code in CODES.values() if code.example]


@pytest.mark.parametrize("code", EXAMPLES, ids=lambda code: code.code)
def test_mends_of_the_codes_examples(code: Code, write: Callable[..., Path]) -> None:
    check_all(write(complete(code.example), whole=True), HIDING.get(code.code))


SEEN = sorted((Path(__file__).parent / "diagnostics").glob("*.yaml"))


@pytest.mark.parametrize("path", SEEN, ids=lambda path: path.stem)
def test_mends_of_specs_with_many_faults(path: Path) -> None:
    check_all(path, BROUGHT_TO_LIGHT.get(path.name))


def check_all(path: Path, but: set[str] | None) -> None:
    """Makes every mend alone. `but` are parts of messages of findings whose mends bring others to light."""
    mender = Mender([str(path)], read, lambda _: None)
    for item in mender.state.findings:
        harms = [harm for mend in item.mends if (harm := mender.harm_of(item, mend)) is not None]
        if harms:
            assert any(part in item.message for part in but or ()), (item.message, harms)


ZOO = [path for path in zoo_files() if path.stem in ("lenet", "alexnet", "unet")]


@settings(max_examples=25, derandomize=True)
@given(data=st.data())
def test_misspelt_words_of_the_zoo_come_back_or_stay(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A letter lost, doubled or swapped: what is mended without doubt is the word that stood there, nothing else."""
    home = data.draw(st.sampled_from(ZOO))
    text = home.read_text("utf-8")
    begin = text.index("layers:")
    words = list(re.finditer(r"(?<![\w.#/-])[a-z_]{4,}(?![\w.-])", text[begin:]))
    word = data.draw(st.sampled_from(words))
    at = begin + word.start() + data.draw(st.integers(1, len(word[0]) - 3))
    how = data.draw(st.sampled_from(["lost", "doubled", "swapped"]))
    put = {"lost": text[at + 1], "doubled": text[at] + text[at : at + 2], "swapped": text[at + 1] + text[at]}[how]
    wrong = text[:at] + put + text[at + 2 :]
    path = tmp_path_factory.mktemp("zoo") / home.name
    path.write_text(wrong, "utf-8")
    mender = Mender([str(path)], read)
    before = errors_of(mender.state.findings)
    fixed = mender.all()
    if fixed.texts:
        ((old, new),) = fixed.texts.values()
        # A name may be misspelt where it is given: then it is where it is used that is brought into line.
        misspelt = word[0][: at - begin - word.start()] + put + word[0][at - begin - word.start() + 2 :]
        assert old == wrong and text in (new, re.sub(rf"\b{misspelt}\b", word[0], new))
    errors = errors_of(fixed.findings)
    assert errors <= before and (not fixed.texts or errors < before)
    event("mended" if fixed.texts else "left" if errors else "no fault")


def errors_of(findings: Iterable[Diagnostic]) -> Counter[tuple[str, str]]:
    return Counter(known(item)[:2] for item in findings if item.severity == "error")


def test_what_does_not_stand_in_the_file_is_not_edited() -> None:
    """Aliases and expressions stand for what is written elsewhere, which others use too."""
    of = {name: [line for line, _ in mends] for name, _, mends in CASES}
    assert not [line for line in of["alias_fit"] if "kernel" in line]
    assert not [line for line in of["expression"] if "a kernel of" in line]
    assert not [line for line in of["in_a_block"] if "a kernel of" in line]
