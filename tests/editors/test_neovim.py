"""The lines of docs/editor.md for Neovim, in Neovim: a diagnostic comes, hints are there, the quick fix mends it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

ROOT = Path(__file__).parents[2]
SETUPS = [
    dedent(text)
    for text in re.findall(r"(?:^    .*\n)+", (ROOT / "docs/editor.md").read_text("utf-8"), re.M)
    if "vim." in text
]
NVIM = shutil.which("nvim")

SPEC = """\
archspec: 1
name: net
input: {height: 8, width: 8, channels: 3}
layers:
  - conv: {filters: 4, kernal: 3}
"""

SCRIPT = """
local function wait(what, ready)
  if not vim.wait(60000, ready, 50) then error("waited in vain for " .. what) end
end
wait("the diagnostic", function() return #vim.diagnostic.get(0) == 1 end)
local told = vim.diagnostic.get(0)[1]
vim.api.nvim_win_set_cursor(0, { told.lnum + 1, told.col })
vim.lsp.buf.code_action({ apply = true })
wait("the quick fix", function() return vim.api.nvim_buf_get_lines(0, 4, 5, true)[1]:find("kernel") end)
wait("no diagnostic", function() return #vim.diagnostic.get(0) == 0 end)
local everything = { start = { line = 0, character = 0 }, ["end"] = { line = 5, character = 0 } }
local asked = { textDocument = vim.lsp.util.make_text_document_params(), range = everything }
local hints
for _, answer in pairs(vim.lsp.buf_request_sync(0, "textDocument/inlayHint", asked, 60000)) do hints = answer.result end
local file = io.open("seen.json", "w")
local text = vim.api.nvim_buf_get_lines(0, 4, 5, true)[1]
file:write(vim.json.encode({ code = told.code, hint = hints[1].label, text = text }))
file:close()
vim.cmd("qall!")
"""


def _version() -> tuple[int, ...]:
    said = subprocess.run([str(NVIM), "--version"], capture_output=True, text=True).stdout if NVIM else ""
    return tuple(map(int, re.findall(r"v(\d+)\.(\d+)", said)[0])) if said else ()


def test_there_is_a_setup_for_newer_and_for_older_versions() -> None:
    assert ["vim.lsp.config" in setup for setup in SETUPS] == [True, False]


@pytest.mark.skipif(_version() < (0, 11), reason="there is no Neovim 0.11")
@pytest.mark.parametrize("setup", SETUPS, ids=["newer", "older"])
def test_a_misspelt_field_is_mended(setup: str, tmp_path: Path) -> None:
    (tmp_path / "net.yaml").write_text(SPEC, encoding="utf-8")
    (tmp_path / "init.lua").write_text(setup, encoding="utf-8")
    (tmp_path / "script.lua").write_text(
        f"local ok, why = pcall(function() {SCRIPT} end)\nprint(why)\nvim.cmd('cquit')", encoding="utf-8"
    )
    # The command by its name, as the page has it.
    (tmp_path / "bin").mkdir()
    command = tmp_path / "bin/archspec"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m archspec.cli "$@"\n', encoding="utf-8")
    command.chmod(0o755)
    homes = {f"XDG_{name}_HOME": str(tmp_path / name) for name in ("CONFIG", "DATA", "STATE", "CACHE")}
    path = os.pathsep.join([str(tmp_path / "bin"), os.environ["PATH"]])
    done = subprocess.run(
        [str(NVIM), "--headless", "-n", "-u", "init.lua", "net.yaml", "-c", "luafile script.lua"],
        cwd=tmp_path,
        env={**os.environ, **homes, "PATH": path, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert (tmp_path / "seen.json").exists(), done.stdout + done.stderr
    seen = json.loads((tmp_path / "seen.json").read_text("utf-8"))
    assert seen == {"code": "E201", "hint": "6×6×4 · 112", "text": "  - conv: {filters: 4, kernel: 3}"}
