"""Words of bash's lines, held to bash itself."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archspec.shell_completion.words import Line, inserted, split

BASH = shutil.which("bash")

TEXTS = st.text(st.sampled_from("ab ä~#$`\"'\\!*?[]{}()<>|&;:=-./"), min_size=1, max_size=12)


def bash(script: str, *words: str) -> str:
    assert BASH is not None
    done = subprocess.run([BASH, "--norc", "-c", script, "bash", *words], capture_output=True, check=True, text=True)
    return done.stdout


@pytest.mark.skipif(BASH is None, reason="there is no bash")
@settings(max_examples=40, deadline=None)
@given(words=st.lists(st.tuples(TEXTS, st.sampled_from(["", '"', "'"])), min_size=1, max_size=6))
def test_a_line_is_taken_apart_as_bash_does(words: list[tuple[str, str]]) -> None:
    """Of words that bash itself has quoted, and of others in quotes."""
    quoted = []
    for word, quote in words:
        if quote == "'":
            quoted.append("'" + word.replace("'", "'\\''") + "'")
        elif quote == '"':
            quoted.append('"' + "".join(f"\\{char}" if char in '\\"`$' else char for char in word) + '"')
        else:
            quoted.append("".join(f"\\{char}" if not char.isalnum() else char for char in word))
    line = " ".join(quoted)
    given = bash(f"set +H; for word in {line}; do printf '%s\\0' \"$word\"; done").split("\0")[:-1]
    assert given == [word for word, _ in words]
    assert split(f"archspec {line} ") == Line(["archspec", *given], "", "", "")
    *before, last = given
    assert split(f"archspec {line}")[:2] == (["archspec", *before], last)


@pytest.mark.skipif(BASH is None, reason="there is no bash")
@settings(max_examples=60, deadline=None)
@given(
    value=TEXTS.filter(lambda text: not text.startswith("~")),
    typed=st.integers(0, 12),
    quote=st.sampled_from(["", '"', "'"]),
)
def test_what_is_inserted_is_read_as_the_value(value: str, typed: int, quote: str) -> None:
    """However much of it was typed, the line has the value in the end."""
    start = value[:typed]
    if quote == "'":
        start = start.split("'")[0]
    raw = quote + start
    if not quote:
        raw = "".join(f"\\{char}" if not char.isalnum() and char not in ":=./-" else char for char in start)
    elif quote == '"':
        raw = quote + "".join(f"\\{char}" if char in '\\"`$' else char for char in start)
    line = split(f"archspec {raw}")
    assert line.current == start
    made = inserted(value, line)
    # Bash replaces what stands behind its last break, or within the quotes.
    kept = quote
    if not quote:
        kept, escaped = "", False
        for place, char in enumerate(raw):
            if not escaped and char in ":=":
                kept = raw[: place + 1]
            escaped = char == "\\" and not escaped
    assert bash(f"set +H; printf %s {kept}{made}{quote}") == value


def test_home_stays_as_it_is_written() -> None:
    assert inserted("~/my specs/", split("archspec report ~/my")) == "~/my\\ specs/"
    assert split("archspec 'a b") == Line(["archspec"], "a b", "'a b", "'")
    assert split("archspec a\\") == Line(["archspec"], "a", "a\\", "")
