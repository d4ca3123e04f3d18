"""The launch files of docs/cluster/ and the page beside them: what they run is what `archspec` takes."""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from archspec.cli import _options
from archspec.codes import CODES
from archspec.commands._common import overrides_of
from archspec.loading import open_spec

DOCS = Path(__file__).parent.parent / "docs"
FILES = DOCS / "cluster"
SCRIPTS = ("slurm.sbatch", "openmpi.sh", "ssh.sh", "tpu.sh")
PAGE = (DOCS / "cluster.md").read_text("utf-8")
WORDS = ["my net.yaml", "--workdir", "/shared/it's", "--set", "train.batch_size=8", "--mesh", "data=2"]
"""With what a shell would take apart, were it not quoted."""

# What stands in for each launcher: it starts what it is given, and writes its own words down.
STANDINS = {
    "archspec": """
path = f"{os.environ['SEEN']}/run-{os.getpid()}"
open(path, "w").write(json.dumps(sys.argv[1:]))
""",
    "srun": """
subprocess.run(sys.argv[sys.argv.index("archspec") :], check=True)
sys.exit(int(os.environ["STATUS"]))
""",
    "scontrol": """
open(os.environ["SEEN"] + "/requeued", "w").write(" ".join(sys.argv[1:]))
""",
    "sleep": "",
    "mpirun": """
size = sys.argv[sys.argv.index("-np") + 1]
for rank in range(int(size)):
    own = {**os.environ, "OMPI_COMM_WORLD_SIZE": size, "OMPI_COMM_WORLD_RANK": str(rank)}
    subprocess.run(sys.argv[sys.argv.index("bash") :], check=True, env=own)
""",
    "ssh": """
subprocess.run(["bash", "-c", sys.argv[-1]], check=True)
""",
    "gcloud": """
(own,) = (word.removeprefix("--command=") for word in sys.argv if word.startswith("--command="))
subprocess.run(["bash", "-c", own], check=True)
""",
}


def parsed(words: list[str]) -> argparse.Namespace:
    """The options of a command line without its `archspec`; ends the test where it is none."""
    return _options(words, words[0])


def launched(folder: Path, script: str, *words: str, status: int = 0, **variables: str) -> tuple[int, list[Any]]:
    """The script's exit status, and what it had each archspec do, by the number of the process."""
    standins, seen = folder / "bin", folder / "seen"
    for needed in (standins, seen, folder / "archspec" / "bin"):
        needed.mkdir(parents=True, exist_ok=True)
    for name, text in STANDINS.items():
        for path in (standins / name, folder / "archspec" / "bin" / name):
            path.write_text(f"#!{sys.executable}\nimport json, os, subprocess, sys\n{text}")
            path.chmod(0o755)
    environment = {
        "PATH": f"{standins}:{os.environ['PATH']}",
        "HOME": str(folder),
        "SEEN": str(seen),
        "STATUS": str(status),
        **variables,
    }
    made = subprocess.run(
        ["bash", FILES / script, *words], env=environment, cwd=folder, capture_output=True, timeout=60
    )
    runs = [json.loads(path.read_text()) for path in seen.glob("run-*")]
    return made.returncode, sorted(runs, key=lambda words: words[-1])


def check_words(words: list[str]) -> argparse.Namespace:
    options = parsed(words)
    assert (words[0], options.spec, str(options.workdir)) == ("train", "my net.yaml", "/shared/it's")
    assert (options.overrides, options.mesh) == (["train.batch_size=8"], "data=2")
    return options


@pytest.mark.parametrize("name", SCRIPTS)
def test_scripts_can_be_read_and_say_how_they_are_called(name: str) -> None:
    subprocess.run(["bash", "-n", FILES / name], check=True)
    made = subprocess.run(["bash", FILES / name], capture_output=True, text=True)
    assert made.returncode == 2 and made.stderr.startswith("usage: ")
    assert os.access(FILES / name, os.X_OK)


@pytest.mark.parametrize("name", ["openmpi.sh", "ssh.sh"])
def test_hosts_are_told_where_they_meet(name: str, tmp_path: Path) -> None:
    status, runs = launched(tmp_path, name, "node1,node2,node3", *WORDS, PORT="5000")
    assert status == 0 and len(runs) == 3
    for index, words in enumerate(runs):
        options = check_words(words)
        assert (options.coordinator, options.processes, options.process_id) == ("node1:5000", 3, index)


def test_tpu_workers_have_the_words_as_they_are(tmp_path: Path) -> None:
    status, runs = launched(tmp_path, "tpu.sh", "slice", "zone", *WORDS, FOLDER=str(tmp_path))
    assert status == 0
    (words,) = runs
    assert check_words(words).coordinator is None  # JAX finds it


@pytest.mark.parametrize(
    ("status", "restarts", "requeued"),
    [(0, "0", False), (1, "0", False), (75, "3", True), (137, "0", True), (143, "0", True), (143, "7", False)],
)
def test_slurm_requeues_what_a_restart_goes_on_with(status: int, restarts: str, requeued: bool, tmp_path: Path) -> None:
    variables = {"SLURM_JOB_ID": "12", "SLURM_RESTART_COUNT": restarts, "ARCHSPEC_RESTARTS": "7"}
    own, (words,) = launched(tmp_path, "slurm.sbatch", *WORDS, status=status, **variables)
    assert own == status and check_words(words).coordinator is None
    said = tmp_path / "seen" / "requeued"
    assert (said.read_text() if said.exists() else None) == ("requeue 12" if requeued else None)


def test_slurm_is_asked_for_one_process_a_node() -> None:
    text = (FILES / "slurm.sbatch").read_text("utf-8")
    asked = dict(re.findall(r"^#SBATCH --([a-z-]+)(?:=(.+))?$", text, re.M))
    assert len(asked) == len(re.findall("^#SBATCH", text, re.M))  # sbatch takes a comment after an option for another
    assert (asked["ntasks-per-node"], asked["requeue"], asked["open-mode"]) == ("1", "", "append")
    assert re.fullmatch(r"TERM@\d+", asked["signal"])  # without `B:`, which would send it to the script alone


def test_pods_of_the_job_set_train_together() -> None:
    whole = yaml.safe_load((FILES / "jobset.yaml").read_text("utf-8"))
    (group,) = whole["spec"]["replicatedJobs"]
    job = group["template"]["spec"]
    pod = job["template"]["spec"]
    (container,) = pod["containers"]
    (line,) = container["args"]
    program, *words = shlex.split(line.removeprefix("exec ").replace("$JOB_COMPLETION_INDEX", "7"))
    options = parsed(words)
    assert (program, container["command"], job["completionMode"]) == ("archspec", ["sh", "-c"], "Indexed")
    assert group["replicas"] == 1 and options.processes == job["completions"] == job["parallelism"]
    # The name of the first pod, as JobSet's `enableDNSHostnames` makes it.
    name, port = whole["metadata"]["name"], container["ports"][0]["containerPort"]
    assert whole["spec"]["network"]["enableDNSHostnames"]
    assert options.coordinator == f"{name}-{group['name']}-0-0.{name}:{port}"
    assert options.mesh == f"data={options.processes * container['resources']['limits']['nvidia.com/gpu']}"
    # A pod is not made anew alone, and an error is not tried again.
    assert (job["backoffLimit"], pod["restartPolicy"]) == (0, "Never")
    (rule,) = job["podFailurePolicy"]["rules"]
    assert (rule["action"], rule["onExitCodes"]["values"]) == ("FailJob", [1, 2])
    assert rule["onExitCodes"]["containerName"] == container["name"]
    assert {mount["name"] for mount in container["volumeMounts"]} == {volume["name"] for volume in pod["volumes"]}


def test_commands_of_the_page_are_archspecs() -> None:
    lines = re.findall(r"^    (archspec .*)$", PAGE, re.M) + re.findall(r"`(archspec [a-z]+ [^`…]* [^`…]*)`", PAGE)
    scripts = re.findall(r"(?:^    |`|until )((?:sbatch [^`\n]*?)?docs/cluster/(\S+) [^`;\n]*)", PAGE, re.M)
    assert len(lines) >= 8 and {name for _, name in scripts} == set(SCRIPTS)
    for line in lines:
        parsed(shlex.split(line)[1:])
    for line, name in scripts:
        words = shlex.split(line)
        after = words[words.index(f"docs/cluster/{name}") + 1 :]
        assert parsed(["train", *after[{"slurm.sbatch": 0, "tpu.sh": 2}.get(name, 1) :]]).mesh


def test_specs_of_the_page_are_right(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    blocks = [re.sub("^    ", "", text, flags=re.M) for text in re.findall(r"(?:^    .*\n)+", PAGE, re.M)]
    whole = {re.search(r"^name: (\w+)$", text, re.M)[1]: text for text in blocks if text.startswith("archspec: 1")}  # type: ignore[index]
    parts = [text for text in blocks if text.startswith("train:")]
    assert list(whole) == ["lab", "lab64"] and len(parts) == 1
    for name, text in whole.items():
        Path(f"{name}.yaml").write_text(text)
    for index, text in enumerate(parts):
        Path(f"part{index}.yaml").write_text(f"archspec: 1\nextends: lab.yaml\nname: part{index}\n{text}")
    for path in Path().glob("*.yaml"):
        spec = open_spec(str(path))
        assert spec.diagnostics == () and spec.train is not None
        # The rule that the page states: 0.1 for 256 images.
        assert spec.train.optimiser.learning_rate == pytest.approx(0.1 * spec.train.samples / 256)
    for line in re.findall(r"^    archspec (train .*)$", PAGE, re.M):
        options = parsed(shlex.split(line))
        if options.mesh is not None:  # as the command does
            options.overrides.append(f"train.mesh={options.mesh}")
        assert open_spec(options.spec, overrides_of(options)).diagnostics == (), line
    for inline in re.findall(r"`(mesh: \{.*?\}|evaluate_every: \{.*?\})`", PAGE):
        Path("inline.yaml").write_text(f"archspec: 1\nextends: lab.yaml\nname: inline\ntrain:\n  {inline}\n")
        assert open_spec("inline.yaml").diagnostics == ()


def test_codes_of_the_page_are_declared() -> None:
    assert set(re.findall(r"\bE\d{3}\b", PAGE)) <= set(CODES)


def test_waits_of_the_page_are_the_codes() -> None:
    from archspec.training.hosts import JOIN
    from archspec.training.lookout import GRACE
    from archspec.training.star import GONE, SILENT

    waits = [float(row) for row in re.findall(r"^\| [^|]+ \| (\d+) \| ", PAGE, re.M)]
    assert waits[:3] == [JOIN, SILENT, GRACE] and f"status {GONE}" in PAGE
    script, pods = ((FILES / name).read_text("utf-8") for name in ("slurm.sbatch", "jobset.yaml"))
    assert f"--signal=TERM@{waits[3]:g}\n" in script and f"terminationGracePeriodSeconds: {waits[3]:g}\n" in pods
    assert f"|{GONE}|" in re.search(r"^  (.*)\)$", script, re.M)[1].replace(" ", "")  # type: ignore[index]
