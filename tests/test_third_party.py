"""Kinds of other packages: the example of CONTRIBUTING.md, installed and used."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

CONTRIBUTING = Path(__file__).parent.parent / "CONTRIBUTING.md"


def example(heading: str, language: str) -> str:
    """The first code block of a language after a heading of CONTRIBUTING.md."""
    text = CONTRIBUTING.read_text("utf-8").split(heading, 1)[1]
    return text.split(f"```{language}\n", 1)[1].split("```", 1)[0]


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A folder with the documented package as it would be installed: a module and its metadata."""
    (tmp_path / "snake_layer.py").write_text(example("## Add a layer from another package", "python"))
    (tmp_path / "broken_layer.py").write_text("raise RuntimeError('no driver')\n")
    (tmp_path / "odd_layer.py").write_text(
        textwrap.dedent(
            """
            from archspec import Layer
            class Odd(Layer):
                "Fails."
                def infer(self, *inputs):
                    return [][1]
            """
        )
    )
    info = tmp_path / "archspec_snake-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: archspec-snake\nVersion: 1.0\n")
    entry = example("## Add a layer from another package", "toml")
    assert '[project.entry-points."archspec.layers"]' in entry
    line = entry.split("]", 1)[1].strip().replace('"', "")
    (info / "entry_points.txt").write_text(
        f"[archspec.layers]\n{line}\nbroken = broken_layer:Broken\nodd = odd_layer:Odd\nnothing = odd_layer:Layer\n"
    )
    return tmp_path


def run(package: Path, layers: str, *command: str) -> subprocess.CompletedProcess[str]:
    spec = package / "net.yaml"
    spec.write_text(f"archspec: 1\nname: net\ninput: {{height: 4, width: 4, channels: 2}}\nlayers: {layers}\n")
    arguments = [str(spec) if item == "SPEC" else item for item in command]
    script = (
        f"import sys; sys.path.insert(0, {str(package)!r})\n"
        f"from archspec.cli import main\nsys.exit(main({arguments!r}))"
    )
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_the_documented_layer_works_everywhere(package: Path) -> None:
    assert run(package, "[snake]", "validate", "SPEC", "--strict").returncode == 0
    assert "snake" in run(package, "[snake]", "layers").stdout
    described = run(package, "[snake]", "layers", "snake").stdout
    assert "how often" in described
    assert '"snake"' in run(package, "[snake]", "schema").stdout
    wrong = run(package, "[snake: {a: -1}]", "validate", "SPEC")
    assert wrong.returncode == 1
    assert "`a` of snake must be greater than 0" in wrong.stderr
    script = (
        f"import sys; sys.path.insert(0, {str(package)!r})\nimport archspec, jax.numpy as jnp\n"
        f"network = archspec.build(archspec.load({str(package / 'net.yaml')!r}).graph())\n"
        "print(float(network(jnp.ones((1, 4, 4, 2))).mean()))"
    )
    run(package, "[snake]", "validate", "SPEC")
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert float(found.stdout) == pytest.approx(1.7080734, abs=1e-5)  # 1 + sin²(1)


def test_packages_that_fail_are_answered(package: Path) -> None:
    broken = run(package, "[broken]", "validate", "SPEC")
    assert broken.returncode == 1
    assert "error[E217]" in broken.stderr
    assert "no driver" in broken.stderr
    assert "Traceback" not in broken.stderr
    odd = run(package, "[odd]", "validate", "SPEC")
    assert "error[E218]: odd1: the kind `odd` failed with IndexError" in odd.stderr
    assert "must agree" in run(package, "[nothing]", "validate", "SPEC").stderr
    listed = run(package, "[relu]", "layers")
    assert listed.returncode == 0
    assert "broken" not in listed.stdout
