"""Specs of a version of the language mean later what they meant when they were laid down: docs/versions.md."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

import archspec
from archspec.cli import main
from archspec.kinds import builtin_kinds
from archspec.spec.network import LANGUAGE_VERSION, SECTIONS
from tests.record_versions import FOLDER, record_of, recorded

ROOT = Path(__file__).parents[1]
SPECS = sorted(FOLDER.glob("*/*.yaml"))


@pytest.mark.parametrize("path", SPECS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_specs_mean_what_they_meant(path: Path) -> None:
    known = recorded(int(path.parent.name))[path.name]
    made = record_of(path)
    assert made["text"] == known["text"], f"{path.name} is edited, which changes what the promise is held by"
    assert made["networks"] == known["networks"], "docs/versions.md promises that this does not change"


def test_every_version_has_its_specs() -> None:
    for version in range(1, LANGUAGE_VERSION + 1):
        files = {path.name for path in (FOLDER / str(version)).glob("*.yaml")}
        assert files == set(recorded(version)) and len(files) > 10


def test_they_have_most_of_the_language() -> None:
    """A promise is held where something looks: sections, structures and kinds that the specs of version 1 have."""
    texts = "\n".join(path.read_text("utf-8") for path in SPECS)
    assert {name for name in SECTIONS if re.search(rf"^{name}:", texts, re.MULTILINE)} == set(SECTIONS)
    for word in ("repeat", "parallel", "residual", "split", "when", "from", "weights", "tied", "$("):
        assert word in texts
    kinds = {name for name in builtin_kinds("layers") if re.search(rf"\b{name}\b", texts)}
    assert len(kinds) > 35


@pytest.mark.parametrize("version", ["2", "17"])
def test_a_newer_version_is_refused_as_that(tmp_path: Path, version: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Of words that may have another meaning nothing is said."""
    path = tmp_path / "new.yaml"
    path.write_text(f"archspec: {version}\nnew_section: 3\nlayers: what it may be\n")
    assert main(["validate", str(path), "--format", "json"]) == 1
    (found,) = json.loads(capsys.readouterr().out)
    assert found["code"] == "E116" and found["primary"]["line"] == 1
    assert f"version {version} of the language, and archspec {archspec.__version__} reads 1" in found["message"]
    assert "pip install --upgrade archspec-jax" in found["help"][0]
    # Nor may a spec of version 1 begin with it.
    below = tmp_path / "below.yaml"
    below.write_text("archspec: 1\nname: below\nextends: new.yaml\n")
    assert main(["validate", str(below), "--format", "json"]) == 1
    assert [item["code"] for item in json.loads(capsys.readouterr().out)] == ["E116"]


@pytest.mark.parametrize("version", ["0", "-1", "1.5", "'2'", "true", "new"])
def test_what_is_no_version(tmp_path: Path, version: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(f"archspec: {version}\nname: net\ninput: {{features: 3}}\nlayers: [dense: 2]\n")
    assert main(["validate", str(path)]) == 1
    assert "error[E206]: `archspec` of the spec must be 1" in capsys.readouterr().err


def test_the_package_has_one_version() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    assert citation["version"] == archspec.__version__
    for page in ("CHANGELOG.md", "docs/upgrading.md"):
        assert re.search(rf"^## {re.escape(archspec.__version__)}\b", (ROOT / page).read_text("utf-8"), re.MULTILINE), (
            page
        )
