"""editors/vscode: what its package.json says against the extension's files, the server and the pages about it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

import archspec
from archspec.commands import lsp
from archspec.language_server.server import LANGUAGE
from archspec.language_server.showing import SHOW_CALL, SHOW_VARIANT
from archspec.spec.files import is_ours

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "editors/vscode"
PACKAGE: dict[str, Any] = json.loads((FOLDER / "package.json").read_text("utf-8"))
CONTRIBUTES = PACKAGE["contributes"]
SETTINGS = CONTRIBUTES["configuration"]["properties"]
PAGES = [ROOT / "docs/editor.md", FOLDER / "README.md"]
SOURCE = "\n".join(path.read_text("utf-8") for path in sorted((FOLDER / "src").glob("*.js")))

needs_node = pytest.mark.skipif(shutil.which("node") is None, reason="there is no Node.js")


def node(*arguments: str) -> str:
    done = subprocess.run(["node", *arguments], capture_output=True, text=True, cwd=FOLDER, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_extension_is_of_this_version_and_licence() -> None:
    lock = json.loads((FOLDER / "package-lock.json").read_text("utf-8"))
    assert PACKAGE["version"] == lock["version"] == lock["packages"][""]["version"] == archspec.__version__
    assert PACKAGE["license"] == "Apache-2.0"
    assert (FOLDER / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()


def test_the_lock_names_no_place_that_packages_came_from() -> None:
    """Versions and checksums alone: each registry serves the same files from a place of its own."""
    lock = json.loads((FOLDER / "package-lock.json").read_text("utf-8"))
    entries = [entry for name, entry in lock["packages"].items() if name]
    assert entries
    assert all("resolved" not in entry and entry["integrity"] for entry in entries)
    wanted = {**PACKAGE["dependencies"], **PACKAGE["devDependencies"]}
    for name, version in wanted.items():
        assert (lock["packages"][f"node_modules/{name}"]["version"] + ".").startswith(f"{version}."), name


def test_files_that_it_names_are_there() -> None:
    (language,) = CONTRIBUTES["languages"]
    (grammar,) = CONTRIBUTES["grammars"]
    named = [PACKAGE["icon"], language["configuration"], *language["icon"].values(), grammar["path"]]
    kept = re.findall("^!(.*)$", (FOLDER / ".vscodeignore").read_text("utf-8"), re.M)
    for name in [*named, *(name for name in kept if "*" not in name and not name.startswith("dist/"))]:
        assert (FOLDER / name).is_file(), name
    assert PACKAGE["main"].removeprefix("./") in kept
    assert language["id"] == grammar["language"] == LANGUAGE
    assert json.loads((FOLDER / grammar["path"]).read_text("utf-8"))["scopeName"] == grammar["scopeName"]
    json.loads((FOLDER / language["configuration"]).read_text("utf-8"))


def test_commands_are_registered_and_those_of_the_server_are_left_to_it() -> None:
    named = {command["command"] for command in CONTRIBUTES["commands"]}
    assert set(re.findall(r'registerCommand\("(.*?)"', SOURCE)) == named
    assert not named & {SHOW_VARIANT, SHOW_CALL}
    for page in PAGES:
        text = re.sub(r"\s+", " ", page.read_text("utf-8"))
        for command in CONTRIBUTES["commands"]:
            assert f"{command['category']}: {command['title']}" in text, page


def test_settings_are_those_that_are_read_and_documented() -> None:
    assert SETTINGS["archspec.command"]["default"] == ["archspec", lsp.__name__.rpartition(".")[2]]
    assert f'get("command", {json.dumps(SETTINGS["archspec.command"]["default"])})' in SOURCE
    for page in PAGES:
        text = page.read_text("utf-8")
        assert set(re.findall(r"archspec\.(?:command|trace\.\w+)\b", text)) == set(SETTINGS), page


def test_a_workspace_cannot_set_what_is_run() -> None:
    assert SETTINGS["archspec.command"]["scope"] == "machine"
    trust = PACKAGE["capabilities"]["untrustedWorkspaces"]
    assert trust["supported"] == "limited"
    assert trust["restrictedConfigurations"] == ["archspec.command"]
    assert "cwd: os.homedir()" in SOURCE


@needs_node
@pytest.mark.parametrize(
    "path", sorted([*FOLDER.glob("*.js"), *(FOLDER / "src").glob("*.js")]), ids=lambda path: path.name
)
def test_its_javascript_is_javascript(path: Path) -> None:
    node("--check", str(path))


TEXTS = [
    "archspec: 1\n",
    "# A comment.\n\narchspec: 1\n",
    "\ufeffarchspec: 1\n",
    "'archspec': 1\n",
    "{ archspec: 1, name: x}\n",
    '"archspec" : 1\r\n',
    "name: archspec\n",
    "uses: archspec: 1\n",
    "  archspec: 1\n",
    "archspec\n",
    "#archspec: 1\n",
    "'archspec: 1\n",
    "",
]


@needs_node
def test_it_takes_the_same_texts_for_specs_as_the_server() -> None:
    script = 'console.log(JSON.stringify(JSON.parse(process.argv[1]).map(require("./src/detect.js").isSpec)))'
    found = json.loads(node("-e", script, json.dumps(TEXTS)))
    assert found == [is_ours(text) for text in TEXTS]
    assert True in found and False in found


@needs_node
def test_the_extension_in_an_editor_of_the_tests() -> None:
    """`extension.test.js` stands in for the editor and for the client, and opens texts."""
    assert "fail 0" in node("--test", "--test-reporter=tap", str(Path(__file__).with_name("extension.test.js")))
