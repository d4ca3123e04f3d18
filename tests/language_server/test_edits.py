"""Whatever is typed, the server goes on, and what it says is of the text as it is."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from lsprotocol import types

from archspec.commands._unforeseen import diagnostic_of
from archspec.diagnostics import Diagnostic
from archspec.editing.analysis import Analysis, of_all_variants
from archspec.editing.workspace import Workspace
from archspec.language_server.converting import Converter
from archspec.source import laid
from archspec.zoo import zoo_folder
from tests.language_server.client import Client, started

PIECES = st.one_of(
    st.sampled_from(["- ", "conv", ": ", "{", "}", "[", "]", "$(", ")", "\n", "\n  ", "#", "&a ", "*a", '"', "'", "|"]),
    st.sampled_from(["filters", "kernel: 3", "relu", "from: a", "times: 3", "repeat", "variants:", "import: zoo"]),
    st.sampled_from(["archspec: 2", "extends: lenet5", "when: $(x)", "99999999999", "-1", "null", "<<: *a", "!!int "]),
    st.sampled_from(["\t", "\r\n", "\u2028", "😀", "\x00", "---\n"]),
    st.text(max_size=3),
)


class Typed(NamedTuple):
    """An edit: at a share of the text so many characters are taken out and a piece is put in."""

    at: float
    out: int
    put: str

    def of(self, text: str) -> str:
        place = int(self.at * len(text))
        return text[:place] + self.put + text[place + self.out :]


EDITS = st.lists(st.builds(Typed, st.floats(0, 1), st.integers(0, 12), PIECES), min_size=1, max_size=50)
TEXTS = [
    (Path(__file__).parents[2] / "specs" / "examples" / name).read_text("utf-8")
    for name in ("digits.yaml", "residual_digits.yaml", "siamese_digits.yaml", "decoders.yaml")
] + [(zoo_folder() / "lenet.yaml").read_text("utf-8")]


class Session:
    """A server that is spoken with across examples, from a loop that runs as long as one of them."""

    def __init__(self, folder: Path) -> None:
        self.loop = asyncio.new_event_loop()
        self.running = started(folder)
        self.client: Client = self.loop.run_until_complete(self.running.__aenter__())
        self.path = folder / "net.yaml"
        self.uri = self.client.open(self.path, "")
        self.edits = 0

    def types(self, start: str, edits: list[Typed], place: float) -> None:
        """Types edits without waiting, asks about a place in between, and compares what is said in the end."""
        self.loop.run_until_complete(asyncio.wait_for(self._types(start, edits, place), 300))

    async def _types(self, start: str, edits: list[Typed], place: float) -> None:
        client, text = self.client, start
        client.type(self.uri, text)
        for edit in edits:
            text = edit.of(text)
            client.type(self.uri, text)
        self.edits += 1 + len(edits)
        await self._asks(text, place)
        told = [shown(item) for item in await client.diagnostics(self.uri)]
        workspace = Workspace(diagnostic_of)
        workspace.put(self.path, text, ours=True)
        analysis = workspace.analysis(self.path)
        if analysis is None:
            assert told == [], text
            return
        # What is wrong in other variants comes once there is time.
        found: list[Sequence[Diagnostic]] = [analysis.now.diagnostics]
        if told != shown_of(analysis, analysis.now.diagnostics, self.uri):
            with laid(workspace):
                found.append(of_all_variants(analysis.now, lambda: False))
        assert told in [shown_of(analysis, items, self.uri) for items in found], text

    async def _asks(self, text: str, place: float) -> None:
        """Every question at a place of the text; none of them may be answered with an error."""
        lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        line = int(place * len(lines))
        about = types.TextDocumentIdentifier(self.uri)
        at = types.Position(line, len(lines[min(line, len(lines) - 1)]) // 2)
        everything = types.Range(types.Position(0, 0), types.Position(len(lines), 0))
        await self.client.text_document_inlay_hint_async(types.InlayHintParams(about, everything))
        await self.client.text_document_hover_async(types.HoverParams(about, at))
        await self.client.text_document_completion_async(types.CompletionParams(about, at))
        await self.client.text_document_definition_async(types.DefinitionParams(about, at))
        await self.client.text_document_references_async(
            types.ReferenceParams(types.ReferenceContext(include_declaration=True), about, at)
        )
        await self.client.text_document_document_highlight_async(types.DocumentHighlightParams(about, at))
        await self.client.text_document_document_link_async(types.DocumentLinkParams(about))
        await self.client.text_document_semantic_tokens_full_async(types.SemanticTokensParams(about))
        await self.client.text_document_folding_range_async(types.FoldingRangeParams(about))
        await self.client.text_document_document_symbol_async(types.DocumentSymbolParams(about))
        await self.client.text_document_selection_range_async(types.SelectionRangeParams(about, [at]))
        await self.client.text_document_formatting_async(
            types.DocumentFormattingParams(about, types.FormattingOptions(2, True))
        )
        await self.client.text_document_code_lens_async(types.CodeLensParams(about))
        await self.client.text_document_code_action_async(
            types.CodeActionParams(about, everything, types.CodeActionContext([]))
        )

    def stop(self) -> None:
        self.loop.run_until_complete(self.running.__aexit__(None, None, None))
        self.loop.close()


def shown_of(analysis: Analysis, items: Sequence[Diagnostic], uri: str) -> list[tuple[str, str, int, int]]:
    """Diagnostics of a text as a client is told of them."""
    return [shown(item) for item in Converter().diagnostics(analysis.now, items).get(uri, [])]


def shown(item: types.Diagnostic) -> tuple[str, str, int, int]:
    start = item.range.start
    return str(item.code), str(item.message), start.line, start.character


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    session = Session(tmp_path_factory.mktemp("edits"))
    yield session
    session.stop()


def check(session: Session, text: str, edits: list[Typed], place: float) -> None:
    session.types(text, edits, place)
    assert all(said.startswith("not formatted: ") for said in session.client.messages)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.sampled_from(TEXTS), edits=EDITS, place=st.floats(0, 1))
def test_random_edits(session: Session, text: str, edits: list[Typed], place: float) -> None:
    check(session, text, edits, place)


@pytest.mark.minutes
def test_a_hundred_thousand_random_edits(session: Session) -> None:
    # What fails is told as it is: to make it smaller would take as long again.
    @settings(
        max_examples=100_000,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(text=st.sampled_from(TEXTS), edits=EDITS, place=st.floats(0, 1))
    def many(text: str, edits: list[Typed], place: float) -> None:
        if session.edits < 100_000:
            check(session, text, edits, place)

    session.edits = 0
    many()
    assert session.edits >= 100_000
    assert session.client.memory() < 400
