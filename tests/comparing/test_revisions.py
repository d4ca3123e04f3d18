"""`archspec diff` in git repositories: what changed since a revision, whatever became of files."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from archspec.cli import main
from archspec.comparing import Comparison, diff
from archspec.diagnostics import SpecError

Git = Callable[..., str]

NET = """archspec: 1
name: net
input: {height: 16, width: 16, channels: 3}
layers:
  - conv: {name: first, filters: 8, kernel: 3, pad: same}
  - relu
  - flatten
  - dense: {name: out, units: 10}
"""
WIDER = NET.replace("filters: 8", "filters: 16")
FAMILY = """archspec: 1
name: family
args: {width: 4}
variants:
  narrow: {}
  wide: {width: 12}
input: {height: 16, width: 16, channels: 3}
layers:
  - conv: {name: first, filters: $(width), kernel: 3}
  - flatten
  - dense: {name: out, units: 10}
"""


@pytest.fixture
def git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Git:
    """Runs git in a new repository, which is the current folder; nothing of the user's settings counts."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", "/dev/null")
    for name in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{name}_NAME", "somebody")
        monkeypatch.setenv(f"GIT_{name}_EMAIL", "somebody@example.org")
    top = tmp_path / "repository"
    top.mkdir()
    monkeypatch.chdir(top)

    def run(*arguments: str) -> str:
        done = subprocess.run(["git", *arguments], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    run("init", "-q", "-b", "main")
    return run


def put(**files: str) -> None:
    """Writes files of the current folder; `__` in a name stands for a slash."""
    for name, text in files.items():
        path = Path(name.replace("__", "/") + ".yaml")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def commit(git: Git, **files: str) -> None:
    put(**files)
    git("add", "-A")
    git("commit", "-q", "-m", "more")


def states(found: Comparison) -> dict[str, str]:
    return {network.name: network.state for network in found.networks}


def said(capsys: pytest.CaptureFixture[str], *words: str, status: int = 0) -> str:
    assert main(["diff", *words]) == status
    return capsys.readouterr().out


def test_a_changed_layer_is_told_with_its_cost(git: Git) -> None:
    """8 → 16 filters of 3×3×3 with a bias, before 16×16 positions into 10 units."""
    commit(git, net=NET)
    put(net=WIDER)
    found = diff("HEAD")
    (network,) = found.networks
    assert network.state == "changed" and network.name == "net.yaml"
    assert network.counts.changed == 1 and network.counts.resized == 3
    params = network.total("params")
    macs = network.total("macs")
    assert params is not None and macs is not None
    assert params.after - params.before == 8 * (27 + 1) + 8 * 256 * 10
    assert macs.after - macs.before == 8 * 27 * 256 + 8 * 256 * 10
    field = network.total("receptive_field")
    assert field is not None and not field.differs
    first = network.changes[0]
    assert first.fields == (("filters", 8, 16),) and first.params == 8 * 28


def test_nothing_means_head_and_a_file_alone_too(git: Git, capsys: pytest.CaptureFixture[str]) -> None:
    commit(git, net=NET)
    assert said(capsys) == "HEAD → the working tree: no network differs\n"
    put(net=WIDER)
    whole = said(capsys)
    assert whole == said(capsys, "HEAD") and "filters 8 → 16" in whole
    assert "filters 8 → 16" in said(capsys, "net.yaml")
    assert "filters 16 → 8" in said(capsys, "net.yaml", "HEAD")
    assert "filters 8 → 16" in said(capsys, "HEAD:net.yaml")
    git("add", "net.yaml")
    assert "filters 8 → 16" in said(capsys), "what is staged counts as well"


def test_exit_codes_are_those_of_diff(git: Git, capsys: pytest.CaptureFixture[str]) -> None:
    commit(git, net=NET)
    said(capsys, "--exit-code", status=0)
    put(net=WIDER)
    said(capsys, status=0)
    said(capsys, "--exit-code", status=1)
    said(capsys, "nowhere", "--exit-code", status=2)
    put(net=WIDER.replace("relu", "rleu"))
    said(capsys, status=1)
    said(capsys, "--exit-code", status=2)


def test_two_revisions_and_ranges(git: Git, capsys: pytest.CaptureFixture[str]) -> None:
    commit(git, net=NET)
    git("tag", "begin")
    commit(git, net=WIDER)
    git("checkout", "-q", "-b", "side", "begin")
    commit(git, net=NET.replace("units: 10", "units: 12"))
    put(net="archspec: 1\nname: lost")
    assert "filters 8 → 16" in said(capsys, "begin", "main")
    assert "filters 16 → 8" in said(capsys, "main", "begin")
    assert "filters 8 → 16" in said(capsys, "begin..main")
    both = said(capsys, "main..side")
    assert "filters 16 → 8" in both and "units 10 → 12" in both
    since = said(capsys, "main...side")
    assert "filters" not in since.split("units")[0] and "units 10 → 12" in since
    assert "side left main" in since


def test_files_that_come_go_and_move(git: Git, capsys: pytest.CaptureFixture[str]) -> None:
    commit(git, old=NET, gone=FAMILY, kept=WIDER)
    git("mv", "old.yaml", "new.yaml")
    git("rm", "-q", "gone.yaml")
    put(new=NET.replace("units: 10", "units: 11"), fresh=WIDER)
    found = diff()
    assert states(found) == {
        "new.yaml": "changed",
        "gone.yaml#narrow": "removed",
        "gone.yaml#wide": "removed",
        "fresh.yaml": "added",
    }
    assert "new.yaml was old.yaml before" in found.notes
    assert states(diff("HEAD", "gone.yaml")) == {"gone.yaml#narrow": "removed", "gone.yaml#wide": "removed"}
    assert states(diff("HEAD", "new.yaml")) == {"new.yaml": "changed"}
    assert "removed, 7,962 parameters" in said(capsys, "HEAD", "gone.yaml#narrow")
    with pytest.raises(SpecError, match="neither in HEAD nor in the working tree"):
        diff("HEAD", "never.yaml")


def test_variants_are_compared_each_with_itself(git: Git) -> None:
    commit(git, family=FAMILY)
    put(family=FAMILY.replace("width: 12", "width: 20") + "\n")
    assert states(diff()) == {"family.yaml#narrow": "same", "family.yaml#wide": "changed"}
    (one,) = diff("HEAD", "family.yaml#wide").networks
    assert one.state == "changed"
    put(family=FAMILY.replace("  wide: {width: 12}\n", "  wide: {width: 12}\n  huge: {width: 99}\n"))
    assert states(diff())["family.yaml#huge"] == "added"
    given = diff("HEAD", "family.yaml?width=3").networks[0].total("params")
    assert given is not None and given.before == 3 * 28 + 3 * 14 * 14 * 10 + 10


BASE = """archspec: 1
name: base
blocks:
  unit:
    args: {n: 4}
    layers: [{conv: {filters: $(n), kernel: 3}}, relu]
"""
USER = """archspec: 1
name: user
import: parts/base.yaml
input: {height: 16, width: 16, channels: 3}
layers:
  - unit: {name: a}
"""


def test_specs_made_of_a_file_that_changed_are_compared(git: Git) -> None:
    """Also where what changed is far below; and what is read as the revision has it are the files below, too."""
    below = "archspec: 1\nextends: user.yaml\nname: below\n"
    commit(git, parts__base=BASE, user=USER, below=below, other=NET)
    put(parts__base=BASE.replace("n: 4", "n: 6"))
    found = diff()
    assert states(found) == {"user.yaml": "changed", "below.yaml": "changed"}
    assert [item.after for item in found.libraries] == ["parts/base.yaml"]
    changed = found.networks[0].changes[0]
    assert changed.fields == (("filters", 4, 6),)
    commit(git)
    assert states(diff("HEAD~1", "HEAD")) == states(found)
    assert states(diff("HEAD", "user.yaml")) == {"user.yaml": "same"}


def test_a_broken_spec_is_told_of_beside_the_other_side(git: Git, capsys: pytest.CaptureFixture[str]) -> None:
    commit(git, net=NET)
    put(net=NET.replace("kernel: 3", "kernal: 3"))
    found = diff()
    (network,) = found.networks
    assert found.is_broken and network.state == "changed" and network.total("params") is not None
    text = said(capsys, status=1)
    assert "1 error after" in text and "did you mean `kernel`?" in text and "20,714" in text
    commit(git)
    put(net=NET)
    assert "1 error before" in said(capsys), "what was broken, and is mended, is no failure"
    put(net="archspec: 1\nname: [")
    assert "E104" in said(capsys, "HEAD~1", status=1)
    for form in ("json", "markdown"):
        assert "E104" in said(capsys, "HEAD~1", "--format", form, status=1)


def test_names_with_spaces_and_of_other_scripts(git: Git, capsys: pytest.CaptureFixture[str]) -> None:
    names = ["with space", "netz-größe", "網", "a#b", "what?", "new\nline", '"quoted"']
    for name in names:
        Path(f"{name}.yaml").write_text(NET)
    commit(git)
    for name in names:
        Path(f"{name}.yaml").write_text(WIDER)
    found = diff()
    assert set(states(found)) == {f"{name}.yaml" for name in names} and len(found.different) == len(names)
    for name in names:
        assert "filters 8 → 16" in said(capsys, "HEAD", f"{name}.yaml")
    said(capsys, "--format", "markdown")


def test_line_ends_and_marks_are_no_difference(git: Git) -> None:
    commit(git, net=NET)
    Path("net.yaml").write_bytes(b"\xef\xbb\xbf" + NET.replace("\n", "\r\n").encode())
    assert states(diff()) == {"net.yaml": "same"}


def test_links_are_followed_as_the_revision_has_them(git: Git) -> None:
    commit(git, real=NET, other=WIDER)
    Path("link.yaml").symlink_to("real.yaml")
    Path("sub").mkdir()
    Path("sub/up.yaml").symlink_to("../link.yaml")
    commit(git)
    Path("link.yaml").unlink()
    Path("link.yaml").symlink_to("other.yaml")
    found = states(diff())
    assert found["link.yaml"] == "changed"
    (up,) = diff("HEAD", "sub/up.yaml").networks
    assert up.state == "changed" and up.changes[0].fields == (("filters", 8, 16),)
    Path("round.yaml").symlink_to("round.yaml")
    commit(git)
    with pytest.raises(SpecError):
        diff("HEAD", "HEAD:round.yaml")


def test_a_link_to_a_file_outside_is_read_from_the_disk_and_said(git: Git, tmp_path: Path) -> None:
    (tmp_path / "outside.yaml").write_text(NET)
    commit(git, user="archspec: 1\nextends: ../outside.yaml\nname: user\n")
    put(user="archspec: 1\nextends: ../outside.yaml\nname: other\n")
    found = diff()
    assert states(found) == {"user.yaml": "changed"}
    assert found.notes == ["1 file outside the repository as on the disk on both sides: ../outside.yaml"]


def test_paths_are_from_here_and_of_revisions_from_the_top(
    git: Git, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    commit(git, specs__net=NET)
    put(specs__net=WIDER)
    monkeypatch.chdir("specs")
    for words in (["HEAD", "net.yaml"], ["HEAD:specs/net.yaml", "net.yaml"], ["HEAD:./net.yaml", "net.yaml"], []):
        assert "filters 8 → 16" in said(capsys, *words), words
    assert main(["diff", "HEAD:net.yaml", "net.yaml"]) == 1
    assert "`HEAD:./net.yaml`" in capsys.readouterr().err


def test_folders_choose(git: Git) -> None:
    commit(git, one__a=NET, two__b=NET)
    put(one__a=WIDER, two__b=WIDER)
    assert set(states(diff("HEAD", "one"))) == {"one/a.yaml"}
    assert set(states(diff("HEAD", "."))) == {"one/a.yaml", "two/b.yaml"} == set(states(diff(".")))
    assert set(states(diff("HEAD", "one", "two/b.yaml"))) == {"one/a.yaml", "two/b.yaml"}


def test_other_yaml_files_are_counted(git: Git) -> None:
    commit(git, net=NET, config="some: thing\n")
    put(config="some: other\n", more="- a\n- list\n")
    found = diff()
    assert found.networks == [] and found.others == 2 and not found.differs


def test_a_repository_without_a_commit(git: Git) -> None:
    put(net=NET)
    assert states(diff()) == {"net.yaml": "added"}


def test_a_file_that_is_ignored_is_none_of_the_changes(git: Git) -> None:
    commit(git, net=NET)
    Path(".gitignore").write_text("runs/\n")
    put(runs__net=WIDER)
    assert states(diff()) == {}


def test_what_is_no_revision_is_said_with_a_way_out(
    git: Git, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit(git, net=NET)
    commit(git, net=WIDER)
    for words, expected in (
        (["HEAD~7"], "no file, run folder, network of the zoo or git revision called HEAD~7"),
        (["--", "--output=x"], "a revision does not begin with `-`"),
        (["HEAD:gone.yaml"], "HEAD has no file gone.yaml"),
        (["net.yaml", "net.yaml", "net.yaml"], "two things are compared, and 3 are given"),
        (["HEAD:/etc/passwd"], "/etc/passwd is outside the repository"),
        (["HEAD:../x.yaml"], "../x.yaml is outside the repository"),
        ([""], "an empty word"),
        (["HEAD^{tree}"], "git revision called HEAD^{tree}"),
        (["/etc/hostname"], "in no git repository"),
        (["lenet5"], "a network of the zoo: with what is it to be compared?"),
        (["HEAD", "lenet5"], "a network of the zoo that comes with archspec"),
        (["HEAD", "HEAD~1", "main"], "two revisions are compared, and 3 are given"),
    ):
        assert main(["diff", *words]) == 1, words
        assert expected in capsys.readouterr().err, words
    assert not Path("x").exists()
    shallow = tmp_path / "shallow"
    git("clone", "-q", "--depth", "1", f"file://{Path.cwd()}", str(shallow))
    monkeypatch.chdir(shallow)
    assert main(["diff", "HEAD~1"]) == 1
    assert "shallow" in capsys.readouterr().err
    monkeypatch.chdir(tmp_path)
    assert main(["diff", "HEAD~1"]) == 1
    assert "in no git repository" in capsys.readouterr().err
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.chdir(shallow)
    assert main(["diff"]) == 1
    assert "git, which is not installed" in capsys.readouterr().err


def test_the_order_of_meaning(git: Git, capsys: pytest.CaptureFixture[str]) -> None:
    """A file comes first, then a network of the zoo, then a revision."""
    commit(git, net=NET)
    git("branch", "lenet5")
    git("branch", "mine")
    put(net=WIDER)
    assert "network of the zoo" in (main(["diff", "lenet5"]), capsys.readouterr().err)[1]
    assert "filters 8 → 16" in said(capsys, "refs/heads/lenet5")
    assert "filters 8 → 16" in said(capsys, "mine")
    Path("mine").write_text(NET)
    assert "mine" in said(capsys, "mine", "net.yaml") and "filters 8 → 16" in said(capsys, "mine", "net.yaml")


def test_worktrees_and_submodules(git: Git, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commit(git, net=NET)
    tree = tmp_path / "tree"
    git("worktree", "add", "-q", str(tree), "-b", "other")
    monkeypatch.chdir(tree)
    put(net=WIDER)
    assert states(diff()) == {"net.yaml": "changed"}
    top = tmp_path / "outer"
    top.mkdir()
    monkeypatch.chdir(top)
    git("init", "-q", "-b", "main")
    git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(tmp_path / "repository"), "sub")
    commit(git, user="archspec: 1\nextends: sub/net.yaml\nname: user\n")
    (top / "sub/net.yaml").write_text(WIDER)
    git("-C", "sub", "commit", "-q", "-a", "-m", "wider")
    (network,) = diff("HEAD", "user.yaml").networks
    assert network.changes[0].fields == (("filters", 8, 16),), "the submodule at the commit that HEAD names"
    git("commit", "-q", "-a", "-m", "newer")
    (top / "sub").rename(tmp_path / "away")
    (top / "sub").mkdir()
    found = diff("HEAD~1", "HEAD", "user.yaml")
    assert any("a submodule that is not checked out" in note for note in found.notes)
    assert found.is_broken


def test_markdown_fits_a_pull_request(git: Git, capsys: pytest.CaptureFixture[str]) -> None:
    """However much there is; what is left out is said with a count."""
    layers = "".join(f"  - conv: {{name: layer_with_a_long_name_{i}, filters: 4, kernel: 1}}\n" for i in range(900))
    text = NET.replace("  - relu\n", layers)
    commit(git, **{f"net{i}": text for i in range(3)})
    for i in range(3):
        changed = re.sub(r"_(\d*[02468]), filters: 4", r"_\1, filters: 5", text)
        put(**{f"net{i}": changed})
    whole = said(capsys, "--format", "markdown")
    assert 50_000 < len(whole) <= 65_536
    left = re.search(r"([\d,]+) rows left out here", whole)
    assert left
    shown = len(re.findall(r"^\| (~|\+|−| ) ", whole, re.MULTILINE))
    assert shown > 100 and int(left[1].replace(",", "")) > 300
    assert whole.count("<details>") == whole.count("</details>")
    first = whole.split("\n")[0]
    assert first.startswith("**") and "3 networks differ" in first


def test_markdown_mentions_nobody(git: Git, capsys: pytest.CaptureFixture[str]) -> None:
    commit(git, net=NET + "title: old\n")
    put(net=NET + 'title: "thanks @somebody <img src=x onerror=alert(1)> | `code`"\n')
    made = said(capsys, "--format", "markdown")
    assert "@somebody" not in made and not re.search(r"(?<!\\)<img", made)


def test_json_has_every_layer(git: Git, capsys: pytest.CaptureFixture[str]) -> None:
    commit(git, net=NET)
    put(net=WIDER)
    found: dict[str, Any] = json.loads(said(capsys, "--format", "json"))
    (network,) = found["networks"]
    assert found["differs"] and network["layers"]["differences"][0]["fields"] == {"filters": [8, 16]}
    assert network["figures"]["params"] == {"before": 20_714, "after": 41_418}
