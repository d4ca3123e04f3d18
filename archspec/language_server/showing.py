"""What is shown of a spec while it is written: hints, hovers, lenses and colours, and of which variant and call."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from lsprotocol import types

from archspec.editing.analysis import Analysis
from archspec.editing.colours import colours
from archspec.editing.hints import hints
from archspec.editing.hovers import hover
from archspec.editing.lenses import lenses
from archspec.editing.painting import MODIFIERS, TYPES, Token
from archspec.editing.workspace import Workspace
from archspec.language_server.converting import Converter, markdown
from archspec.language_server.server import Server
from archspec.positions import Lines, end_of, start_of

SHOW_VARIANT, SHOW_CALL = "archspec.showVariant", "archspec.showCall"

LEGEND = types.SemanticTokensLegend(list(TYPES), list(MODIFIERS))


def encoded(convert: Converter, lines: Lines, tokens: Iterable[Token]) -> list[int]:
    """Tokens as the protocol has them: lines and units since the one before, units, type and modifiers of each."""
    found: list[int] = []
    line = column = 0
    for token in tokens:
        start, end = convert.position(lines, start_of(token.span)), convert.position(lines, end_of(token.span))
        if end.line != start.line or end.character <= start.character:
            continue  # the protocol has tokens of one line
        modifiers = sum(1 << MODIFIERS.index(word) for word in token.modifiers)
        apart = start.line - line
        found += [apart, start.character - (0 if apart else column), end.character - start.character]
        found += [TYPES.index(token.type), modifiers]
        line, column = start.line, start.character
    return found


def register(server: Server) -> None:
    convert = server.converter

    @server.feature(types.TEXT_DOCUMENT_INLAY_HINT)
    async def inlay_hints(params: types.InlayHintParams) -> list[types.InlayHint] | None:
        def answer(workspace: Workspace, analysis: Analysis) -> list[types.InlayHint]:
            now = analysis.now
            first, last = convert.place(now.lines, params.range.start), convert.place(now.lines, params.range.end)
            focus = workspace.focus.get(now.path, "")
            found = hints(analysis, focus, list(workspace.importers(now.path)))
            return [
                types.InlayHint(
                    convert.position(now.lines, hint.position),
                    hint.label,
                    tooltip=markdown(hint.tooltip) if hint.tooltip else None,
                    padding_left=True,
                )
                for hint in found
                if first <= hint.position <= last
            ]

        return await server.about(params.text_document.uri, answer)

    @server.feature(types.TEXT_DOCUMENT_HOVER)
    async def hovers(params: types.HoverParams) -> types.Hover | None:
        def answer(workspace: Workspace, analysis: Analysis) -> types.Hover | None:
            now = analysis.now
            place = convert.place(now.lines, params.position)
            found = hover(analysis, place, workspace.focus.get(now.path, ""))
            return types.Hover(markdown(found.markdown), convert.range(now.lines, found.span)) if found else None

        await server.looked_at(params.text_document.uri, params.position)
        return await server.about(params.text_document.uri, answer)

    @server.feature(types.TEXT_DOCUMENT_CODE_LENS, types.CodeLensOptions(resolve_provider=False))
    async def code_lenses(params: types.CodeLensParams) -> list[types.CodeLens] | None:
        def answer(workspace: Workspace, analysis: Analysis) -> list[types.CodeLens]:
            now, uri = analysis.now, params.text_document.uri
            found = []
            for lens in lenses(analysis, workspace.focus.get(now.path, "")):
                command = types.Command(lens.title, "")
                if lens.variant is not None:
                    command = types.Command(lens.title, SHOW_VARIANT, arguments=[uri, lens.variant])
                elif lens.focus is not None:
                    command = types.Command(lens.title, SHOW_CALL, arguments=[uri, lens.focus])
                found.append(types.CodeLens(convert.range(now.lines, lens.span), command))
            return found

        return await server.about(params.text_document.uri, answer)

    async def coloured(uri: str, between: types.Range | None) -> types.SemanticTokens | None:
        def answer(workspace: Workspace, analysis: Analysis) -> types.SemanticTokens:
            lines, first, last = analysis.now.lines, 1, None
            if between is not None:
                first, last = convert.place(lines, between.start).line, convert.place(lines, between.end).line
            return types.SemanticTokens(encoded(convert, lines, colours(workspace, analysis, first, last)))

        return await server.about(uri, answer)

    @server.feature(types.TEXT_DOCUMENT_SEMANTIC_TOKENS_FULL, LEGEND)
    async def all_colours(params: types.SemanticTokensParams) -> types.SemanticTokens | None:
        return await coloured(params.text_document.uri, None)

    @server.feature(types.TEXT_DOCUMENT_SEMANTIC_TOKENS_RANGE, LEGEND)
    async def colours_between(params: types.SemanticTokensRangeParams) -> types.SemanticTokens | None:
        return await coloured(params.text_document.uri, params.range)

    @server.command(SHOW_VARIANT)
    async def show_variant(uri: str, variant: str) -> None:
        path = convert.path(uri)
        if path is None:
            return

        def show(workspace: Workspace) -> Path:
            workspace.show(path, variant)
            return workspace.real(path)

        server.later(server.check([await server.service.change(show)], server.service.now))

    @server.command(SHOW_CALL)
    async def show_call(uri: str, focus: str) -> None:
        def answer(workspace: Workspace, analysis: Analysis) -> None:
            workspace.focus[analysis.now.path] = focus

        await server.about(uri, answer)
        server.refresh()
