"""No command connects to anything but this machine."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from archspec.cli import COMMANDS
from tests.digits import MNIST

HOOK = '''
import json, os, sys

LOCAL = ("127.", "localhost", "::1", "0.0.0.0")
LOOKED_UP = ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr", "socket.getnameinfo")

def watch(event, args):
    """Raises, and writes down, where a name is looked up or a connection begun that leads away from this machine."""
    if event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
        host = args[1][0] if isinstance(args[1], tuple) else None  # other addresses are files
    elif event in LOOKED_UP:
        host = args[0][0] if isinstance(args[0], tuple) else args[0]
    else:
        return
    host = host.decode() if isinstance(host, bytes) else host
    if host and not str(host).startswith(LOCAL):
        with open(os.environ["WATCHED"], "a") as file:
            file.write(json.dumps([event, str(host), sys.argv]) + "\\\\n")
        raise OSError(f"no network here: {event} {host}")

sys.addaudithook(watch)
with open(os.environ["WATCHED"] + ".began", "a") as file:
    file.write(f"{os.getpid()} ")
'''

DRIVER = """
import os, subprocess, sys, urllib.request
from archspec import serving
from archspec.cli import main
from archspec.spec.train import Train

def run(*words):
    print(">", *words, flush=True)
    assert main(list(words)) == 0, words

def asked(served, news, ended):
    assert b"<html" in urllib.request.urlopen(made[0].url).read()
    raise KeyboardInterrupt  # as a user ends it

made, start = [], serving.Server.start
serving.Server.start = lambda server: (made.append(server), start(server))
serving.watch = asked

workers = ["--set", "train.workers=1"] if "workers" in Train.model_fields else []
streamed = ["--set", "train.stream=always"] if "stream" in Train.model_fields else []
run("validate", "net.yaml", "lenet5")
run("format", "net.yaml")
run("new", "begun.yaml", "--data", "digits", "--yes")
run("show", "net.yaml")
run("report", "net.yaml", "--html", "page.html")
run("serve", "net.yaml")
run("draw", "net.yaml", "-o", "net.svg")
run("compare", "lenet5", "alexnet")
run("roofline", "lenet5", "--device", "a100")
run("plan", "net.yaml", "--devices", "8", "--device", "h200")
run("bench", "net.yaml", "--batch", "2", "--steps", "1")
run("tune", "net.yaml", "--seconds", "1")
run("layers", "conv")
run("zoo")
run("schema")
run("doctor")
run("data", "check", "net.yaml")
run("train", "net.yaml", "--workdir", "run", *workers, *streamed)
run("eval", "run", "--html", "run.html")
run("predict", "run", "digits/0/0.png")
run("explain", "run", "digits/0/0.png", "--html", "explained.html")
run("walkthrough", "run", "--layer", "dense1")
run("diff", "net.yaml", "lenet5")
run("runs", ".")
run("sweep", "net.yaml", "--set", "train.optimiser.adam.learning_rate=0.01,0.1", "--workdir", "sweep")
run("weights", "export", "run", "net.safetensors")
run("weights", "import", "net.yaml", "net.safetensors", "-o", "imported")
run("export", "run", "--to", "onnx", "-o", "net.onnx")
run("import", "net.onnx", "-o", "again.yaml")
run("lsp")  # whose client has nothing to say; it leaves standard output to the protocol
if "lr-find" in sys.argv[1:]:
    run("lr-find", "net.yaml")
import archspec, numpy
archspec.open("run").predict(numpy.zeros((28, 28), numpy.uint8))
# What is forbidden is noticed, in processes that commands start too.
tried = "import socket; socket.create_connection(('example.org', 80), 1)"
assert subprocess.run([sys.executable, "-c", tried], stderr=subprocess.DEVNULL).returncode
"""

SPEC = """archspec: 1
name: net
input: {height: 28, width: 28, channels: 1, range: [0, 1]}
layers: [flatten, {dense: 2}]
train: {dataset: {image_folder: {path: digits, holdout: 0.5, grey: true}}, epochs: 1, batch_size: 8}
"""


@pytest.mark.slow
def test_no_command_connects_to_another_machine(tmp_path: Path) -> None:
    """All of them in one process, which raises and writes down what would; and so does each process that it starts."""
    commands = {line.split('"')[1] for line in DRIVER.splitlines() if line.strip().startswith('run("')}
    assert set(COMMANDS) <= commands
    with np.load(MNIST) as file:
        for number in range(2):
            (tmp_path / "digits" / str(number)).mkdir(parents=True)
            for place, pixels in enumerate(file["x"][file["y"] == number][:8]):
                Image.fromarray(pixels.reshape(28, 28)).save(tmp_path / "digits" / str(number) / f"{place}.png")
    (tmp_path / "net.yaml").write_text(SPEC)
    (tmp_path / "hook").mkdir()
    (tmp_path / "hook" / "sitecustomize.py").write_text(HOOK)
    root = str(Path(__file__).parents[1])
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(tmp_path / "hook"), root]),
        "WATCHED": str(tmp_path / "watched"),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
    }
    done = subprocess.run(
        [sys.executable, "-c", DRIVER, *COMMANDS],
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    watched = (tmp_path / "watched").read_text().splitlines()
    assert len(watched) == 1 and "example.org" in watched[0], watched
    assert len((tmp_path / "watched.began").read_text().split()) >= 2
