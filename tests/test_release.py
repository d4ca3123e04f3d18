"""The wheel and the source distribution: what is in them, what they say of themselves, and that they work alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from packaging.metadata import Metadata

import archspec
from archspec.cli import COMMANDS

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.slow

LARGEST_WHEEL, LARGEST_SOURCE = 6 * 2**20, 16 * 2**20

IN_WHEEL = (
    "archspec/py.typed",
    "archspec/data/files/mnist5k.npz",
    "archspec/data/files/ATTRIBUTION.md",
    "archspec/weights/classes/imagenet.txt",
    "archspec/weights/classes/voc.txt",
    "archspec/figures/devices.yaml",
    "archspec/page/static/page.html",
    "archspec/explaining/static/walk.js",
    "archspec/review/static/review.css",
    "archspec/specs/zoo/index.json",
    "archspec/specs/zoo/lenet.yaml",
)
IN_SOURCE = (
    "pyproject.toml",
    "LICENSE",
    "README.md",
    "CITATION.cff",
    "SECURITY.md",
    "Makefile",
    ".ci/run",
    "docs/language.md",
)
NEVER = ("__pycache__", ".pyc", ".partial", ".mypy_cache", ".hypothesis", ".DS_Store", ".egg-info", ".orig")


def build(kind: str, source: Path, into: Path) -> Path:
    """A wheel or an sdist of a source tree, by the build backend that pyproject.toml names."""
    code = f"import hatchling.build as backend; print(backend.build_{kind}({str(into)!r}))"
    done = subprocess.run([sys.executable, "-c", code], cwd=source, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return into / done.stdout.split()[-1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("wheel", ROOT, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("sdist", ROOT, tmp_path_factory.mktemp("sdist"))


def contents(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist() if not name.endswith("/")}


def test_the_wheel_has_the_package_and_nothing_else(wheel: Path) -> None:
    assert wheel.name == f"archspec_jax-{archspec.__version__}-py3-none-any.whl"
    assert wheel.stat().st_size < LARGEST_WHEEL
    about = f"archspec_jax-{archspec.__version__}.dist-info/"
    names = contents(wheel)
    own = {name for name in names if not name.startswith(about)}
    # What git has, and what it does not know yet but would take.
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "archspec", "specs/zoo"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    if listed.returncode == 0:
        files = {name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()}
        assert own == {name.replace("specs/zoo", "archspec/specs/zoo") for name in files}
    assert set(IN_WHEEL) <= own
    assert not [name for name in names if any(word in name for word in (*NEVER, "tests/", "benchmarks/"))]
    assert {name.removeprefix(about) for name in names if name.startswith(about)} == {
        *("METADATA", "WHEEL", "RECORD", "entry_points.txt", "licenses/LICENSE"),
    }


def test_what_the_wheel_says_of_itself(wheel: Path) -> None:
    names = contents(wheel)
    about = f"archspec_jax-{archspec.__version__}.dist-info/"
    metadata = Metadata.from_email(names[f"{about}METADATA"], validate=True)
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert metadata.name == "archspec-jax" and str(metadata.version) == archspec.__version__
    assert metadata.license_expression == "Apache-2.0" and metadata.license_files == ["LICENSE"]
    assert str(metadata.requires_python) == ">=3.11" and metadata.summary == declared["description"]
    assert metadata.description_content_type == "text/markdown"
    assert metadata.description == (ROOT / "README.md").read_text("utf-8")
    needed = {requirement.name.lower() for requirement in metadata.requires_dist or () if requirement.marker is None}
    assert needed == {item.partition(">")[0].lower() for item in declared["dependencies"]}
    assert set(metadata.provides_extra or ()) == set(declared["optional-dependencies"])
    assert names[f"{about}entry_points.txt"].decode().split() == [
        *("[console_scripts]", "archspec", "=", "archspec.cli:main", "archspec-jax", "=", "archspec.cli:main"),
    ]
    assert names[f"{about}licenses/LICENSE"] == (ROOT / "LICENSE").read_bytes()
    assert b"Root-Is-Purelib: true" in names[f"{about}WHEEL"]


def test_the_source_has_what_builds_and_tests_it(source: Path, wheel: Path, tmp_path: Path) -> None:
    assert source.stat().st_size < LARGEST_SOURCE
    with tarfile.open(source) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
        archive.extractall(tmp_path, filter="data")
    assert set(IN_SOURCE) <= names
    for folder in ("archspec", "specs", "tests", "docs", "benchmarks"):
        assert {
            path.relative_to(ROOT).as_posix()
            for path in (ROOT / folder).rglob("*.py")
            if "__pycache__" not in path.parts
        } <= names
    assert not [name for name in names if any(word in name for word in (*NEVER, ".git/", "node_modules"))]
    (unpacked,) = tmp_path.iterdir()
    again = build("wheel", unpacked, tmp_path)
    assert contents(again) == contents(wheel)


def test_builds_repeat_to_the_byte(wheel: Path, tmp_path: Path) -> None:
    assert build("wheel", ROOT, tmp_path).read_bytes() == wheel.read_bytes()


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of the commands of an environment that has the wheel, and this one's packages but no checkout."""
    folder = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    python = folder / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "--disable-pip-version-check", "install", "--quiet"]
    subprocess.run([*pip, "--no-index", "--no-deps", str(wheel)], check=True)
    place = subprocess.run(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()
    # A folder on a line of a .pth has its packages seen, but what its own .pth files add, as the checkout, is not.
    (Path(place) / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    yield folder / "bin"


def run(installed: Path, folder: Path, *words: str) -> str:
    """What a command of the wheel prints, run in a folder where no checkout is near."""
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
    done = subprocess.run(
        [installed / words[0], *words[1:]], cwd=folder, env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, (words, done.stdout[-2000:], done.stderr[-2000:])
    return done.stdout


def test_every_command_helps(installed: Path, tmp_path: Path) -> None:
    said = run(installed, tmp_path, "archspec", "--help")
    assert all(name in said for name in COMMANDS)
    for name in COMMANDS:
        assert run(installed, tmp_path, "archspec", name, "--help").startswith(f"usage: archspec {name}")
    # Both names of the command: `uvx archspec-jax` looks for the distribution's.
    assert run(installed, tmp_path, "archspec-jax", "--version") == f"archspec {archspec.__version__}\n"


def test_commands_work_without_the_checkout(installed: Path, tmp_path: Path) -> None:
    where = run(installed, tmp_path, "python", "-c", "import archspec; print(archspec.__file__)").strip()
    assert Path(where).is_relative_to(installed.parent)
    assert run(installed, tmp_path, "archspec", "validate", "lenet5").startswith("ok: lenet5")
    assert "61,706" in run(installed, tmp_path, "archspec", "report", "lenet5")
    assert "resnet50" in run(installed, tmp_path, "archspec", "zoo", "--sort", "params")
    assert "lenet1" in run(installed, tmp_path, "archspec", "--complete", "fish", "report", "lenet")
    run(installed, tmp_path, "archspec", "draw", "lenet5", "-o", "lenet5.svg")
    assert (tmp_path / "lenet5.svg").read_text().startswith("<svg")
    run(installed, tmp_path, "archspec", "report", "lenet5", "--html", "lenet5.html")
    assert "<script" in (tmp_path / "lenet5.html").read_text()
    assert "h100" in run(installed, tmp_path, "archspec", "roofline", "lenet5", "--device", "h100").lower()
    assert json.loads(run(installed, tmp_path, "archspec", "schema"))
    assert "E301" in run(installed, tmp_path, "archspec", "explain", "E301")
    run(installed, tmp_path, "archspec", "new", "--data", "mnist5k", "--epochs", "1", "--yes")
    run(installed, tmp_path, "archspec", "train", "mnist5k.yaml", "--set", "train.batch_size=500")
    assert (tmp_path / "runs" / "mnist5k" / "run.html").is_file()
    assert "%" in run(installed, tmp_path, "archspec", "eval", "runs/mnist5k")


def test_citation() -> None:
    """As the schema of the Citation File Format 1.2.0 has it."""
    made = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    assert {"cff-version", "message", "title", "authors"} <= set(made)
    assert set(made) <= {
        *("cff-version", "message", "type", "title", "abstract", "version", "license", "authors", "keywords"),
        *("date-released", "url", "repository-code", "doi", "identifiers", "references", "preferred-citation"),
    }
    assert made["cff-version"] == "1.2.0" and made["type"] == "software" and made["license"] == "Apache-2.0"
    assert made["authors"] and all(set(author) <= {"name", "website", "email"} for author in made["authors"])
    assert made["keywords"] and all(isinstance(word, str) for word in made["keywords"])
    assert isinstance(made["version"], str) and made["version"] == archspec.__version__
