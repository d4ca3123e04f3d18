"""The GitHub action and the hooks of pre-commit: what they run, in repositories made for it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[1]
ACTION = yaml.safe_load((ROOT / "action.yml").read_text("utf-8"))
HOOKS = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text("utf-8"))

NET = """archspec: 1
name: net
input: {height: 16, width: 16, channels: 3}
layers: [{conv: {name: first, filters: 8, kernel: 3}}, flatten, {dense: {name: out, units: 10}}]
"""
WIDER = NET.replace("filters: 8", "filters: 16")

GH = """#!/usr/bin/env python3
import json, os, sys
arguments = sys.argv[1:]
with open(os.environ["CALLS"], "a") as file:
    file.write(json.dumps(arguments) + "\\n")
if os.environ.get("FORBIDDEN"):
    sys.exit("HTTP 403: Resource not accessible by integration")
if "--paginate" in arguments:
    print(os.environ.get("KNOWN", ""), end="")
"""
"""Stands for GitHub's own program: writes down what it is asked for."""


class Job:
    """A repository with two commits, and what the runner gives to the action there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.top = folder / "a repository"
        self.top.mkdir()
        programs = folder / "bin"
        programs.mkdir()
        for name, text in (
            ("gh", GH),
            ("archspec", f'#!/bin/sh\nexec {sys.executable} {ROOT / "cli.py"} "$@"\n'),
        ):
            (programs / name).write_text(text)
            (programs / name).chmod(0o755)
        self.environment = {
            "PATH": f"{programs}:{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "HOME": str(folder),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GITHUB_ACTION_PATH": str(ROOT),
            "GITHUB_EVENT_PATH": str(folder / "event.json"),
            "GITHUB_STEP_SUMMARY": str(folder / "summary.md"),
            "GITHUB_OUTPUT": str(folder / "output"),
            "GITHUB_REPOSITORY": "somebody/nets",
            "RUNNER_TEMP": str(folder),
            "CALLS": str(folder / "calls"),
            **{f"GIT_{who}_{what}": "x@y" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
        }
        self.git("init", "-q", "-b", "main")

    def git(self, *arguments: str) -> str:
        done = subprocess.run(
            ["git", *arguments], cwd=self.top, env=self.environment, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    def commit(self, **files: str) -> str:
        for name, text in files.items():
            (self.top / f"{name}.yaml").write_text(text)
        self.git("add", "-A")
        self.git("commit", "-q", "-m", "more")
        return self.git("rev-parse", "HEAD")

    def event(self, **fields: Any) -> None:
        (self.folder / "event.json").write_text(json.dumps(fields))

    def run(self, status: int = 0, **environment: str) -> str:
        """Runs the action's last step as a runner does, and gives what it prints."""
        script = ACTION["runs"]["steps"][-1]["run"]
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script],
            cwd=self.top,
            env={**self.environment, **environment},
            capture_output=True,
            text=True,
        )
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout

    @property
    def summary(self) -> str:
        return (self.folder / "summary.md").read_text()

    @property
    def calls(self) -> list[list[str]]:
        path = self.folder / "calls"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return Job(tmp_path)


def pull_request(job: Job, base: str, head: str) -> None:
    job.event(pull_request={"number": 7, "base": {"sha": base}, "head": {"sha": head}})


def test_a_pull_request_has_the_difference_in_its_summary_and_a_comment(job: Job) -> None:
    """Of the merge that is checked out, whose first parent is newer than the base that the event names."""
    old = job.commit(net=NET, other=NET, ci="on: push\n")
    job.git("checkout", "-q", "-b", "topic")
    head = job.commit(net=WIDER, **{"with space": NET})
    job.git("checkout", "-q", "main")
    job.commit(other=WIDER)
    job.git("merge", "-q", "--no-ff", "topic")
    pull_request(job, old, head)
    printed = job.run()
    assert "ok: net" in printed
    assert "net.yaml" in job.summary and "with space.yaml" in job.summary and "other.yaml" not in job.summary
    assert "differs=true" in (job.folder / "output").read_text()
    listed, made = job.calls
    assert listed[:3] == ["api", "--paginate", "repos/somebody/nets/issues/7/comments"]
    assert made[:3] == ["api", "--silent", "repos/somebody/nets/issues/7/comments"] and "PATCH" not in made
    body = Path(made[-1].removeprefix("body=@")).read_text()
    assert body == f"<!-- archspec diff -->\n{job.summary}"
    (job.folder / "calls").unlink()
    job.run(KNOWN="41\n43\n")
    assert job.calls[1][2:5] == ["--method", "PATCH", "repos/somebody/nets/issues/comments/41"]


def test_without_the_right_to_comment_the_job_goes_on(job: Job) -> None:
    base = job.commit(net=NET)
    pull_request(job, base, job.commit(net=WIDER))
    assert "::notice::no comment" in job.run(FORBIDDEN="1")
    (job.folder / "calls").unlink()
    job.run(COMMENT="false")
    assert job.calls == []


def test_a_broken_spec_fails_the_job_at_its_line(job: Job) -> None:
    base = job.commit(net=NET)
    pull_request(job, base, job.commit(net=NET.replace("kernel", "kernal"), sound=NET))
    printed = job.run(status=1)
    assert re.search(r"^::error file=net\.yaml,line=4::E201: .*%0A", printed, re.MULTILINE), printed
    assert "E201" in job.summary and "sound.yaml" in job.summary and len(job.calls) == 2


def test_a_push_is_compared_with_what_was_there_before(job: Job) -> None:
    before = job.commit(net=NET)
    job.commit(net=WIDER)
    job.commit(other=NET)
    job.event(before=before)
    job.run()
    assert "net.yaml" in job.summary and "other.yaml" in job.summary and job.calls == []
    (job.folder / "summary.md").unlink()
    job.event(before="0" * 40)
    job.run()
    assert "net.yaml" not in job.summary and "other.yaml" in job.summary
    (job.folder / "summary.md").unlink()
    job.run(BASE="HEAD~2")
    assert "net.yaml" in job.summary


def test_a_shallow_clone_fetches_the_base(job: Job) -> None:
    base = job.commit(net=NET)
    job.commit(other=NET)
    head = job.commit(net=WIDER)
    job.git("config", "uploadpack.allowAnySHA1InWant", "true")
    shallow = job.folder / "shallow"
    job.git("clone", "-q", "--depth", "1", f"file://{job.top}", str(shallow))
    job.top = shallow
    pull_request(job, base, head)
    job.run()
    assert "net.yaml" in job.summary and "other.yaml" in job.summary


def test_nothing_changed_is_said_once_there_is_a_comment(job: Job) -> None:
    base = job.commit(net=NET)
    pull_request(job, base, job.commit(more="a: b\n"))
    job.run()
    assert len(job.calls) == 1 and "no network differs" in job.summary
    job.run(KNOWN="41\n")
    assert "PATCH" in job.calls[-1] and "differs=false" in (job.folder / "output").read_text()


def test_names_are_never_commands(job: Job) -> None:
    """Of files, of what an input says, and of what a spec says."""
    base = job.commit(net=NET)
    name = "$(touch pwned)`touch pwned`;touch pwned;'\"&|-x"
    text = WIDER + 'title: "::error::no @somebody `touch pwned`"\n'
    pull_request(job, base, job.commit(net=WIDER, **{name: text, "-n": NET, "\n::warning::": NET}))
    printed = job.run()
    job.run(status=1, BASE="--output=pwned")
    assert not list(job.folder.rglob("pwned*"))
    assert "@somebody" not in job.summary
    assert not re.search("^::(error|warning)", printed, re.MULTILINE)


def test_scripts_have_nothing_of_events_in_them() -> None:
    """An expression within a script would be a way in for what a title or a branch is called."""
    scripts = [step["run"] for step in ACTION["runs"]["steps"] if "run" in step]
    assert len(scripts) == 2 and not any("${{" in script for script in scripts)
    for step in ACTION["runs"]["steps"]:
        for value in step.get("env", {}).values():
            assert re.fullmatch(r"\$\{\{ (inputs\.[a-z]+|steps\.python\.outputs\.python-path) \}\}", value)


def test_what_the_action_installs_is_what_the_package_declares() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["dependencies"]
    script = next(step["run"] for step in ACTION["runs"]["steps"] if "pip" in step.get("run", ""))
    named = re.findall(r'"((?:pydantic|PyYAML|optax)[^"]*)"', script)
    assert len(named) == 3 and set(named) <= set(declared)


def test_hooks_pass_over_what_is_no_spec(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from archspec.cli import main

    blocks = "archspec: 1\nname: parts\nblocks:\n  unit: {layers: [relu]}\n"
    files = {"net": NET, "config": "on: push\n", "parts": blocks, "lists": "- a\n", "broken": "a: [\n"}
    for name, text in files.items():
        (tmp_path / f"{name}.yaml").write_text(text)
    hook = next(hook for hook in HOOKS if hook["id"] == "archspec-validate")
    program, *words = hook["entry"].split()
    assert program == "archspec"
    assert main([*words, *(str(tmp_path / f"{name}.yaml") for name in files)]) == 0
    out, err = capsys.readouterr()
    assert out.count("ok:") == 1 and "passed over: 3 files without `archspec:` and 1 file of blocks alone" in err
    (tmp_path / "net.yaml").write_text(NET.replace("kernel", "kernal"))
    assert main([*words, *(str(tmp_path / f"{name}.yaml") for name in files)]) == 1


@pytest.mark.parametrize("hook", HOOKS, ids=[hook["id"] for hook in HOOKS])
def test_hooks_are_commands(hook: dict[str, Any]) -> None:
    from archspec.cli import COMMANDS

    assert hook["entry"].split()[1] in COMMANDS and hook["language"] == "python" and hook["types"] == ["yaml"]
