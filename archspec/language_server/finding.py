"""Where things are: definitions, uses, links, outlines, folds, selections."""

from __future__ import annotations

from lsprotocol import types

from archspec.editing.analysis import Analysis
from archspec.editing.links import links
from archspec.editing.naming import definition, highlights, references
from archspec.editing.outline import Item, outline, symbols
from archspec.editing.ranges import folds, selections
from archspec.editing.symbols import Place
from archspec.editing.workspace import Workspace
from archspec.language_server.converting import Converter
from archspec.language_server.server import Server
from archspec.positions import Lines

KINDS = {
    "section": types.SymbolKind.Namespace,
    "argument": types.SymbolKind.Variable,
    "input": types.SymbolKind.Interface,
    "output": types.SymbolKind.Interface,
    "variant": types.SymbolKind.EnumMember,
    "block": types.SymbolKind.Class,
    "layer": types.SymbolKind.Function,
    "call": types.SymbolKind.Object,
    "structure": types.SymbolKind.Struct,
    "field": types.SymbolKind.Field,
}


def location(convert: Converter, workspace: Workspace, place: Place) -> types.Location:
    """A place of a name, in the text of now where its file is open."""
    text = workspace.texts.get(place.path)
    return types.Location(
        convert.uri(place.path), convert.range(Lines(place.span.source.text if text is None else text), place.span)
    )


def register(server: Server) -> None:
    convert = server.converter

    @server.feature(types.TEXT_DOCUMENT_DEFINITION)
    async def definitions(params: types.DefinitionParams) -> list[types.Location] | None:
        def answer(workspace: Workspace, analysis: Analysis) -> list[types.Location]:
            found = definition(workspace, analysis, convert.place(analysis.now.lines, params.position))
            return [location(convert, workspace, place) for place in found]

        return await server.about(params.text_document.uri, answer)

    @server.feature(types.TEXT_DOCUMENT_REFERENCES)
    async def all_references(params: types.ReferenceParams) -> list[types.Location] | None:
        def answer(workspace: Workspace, analysis: Analysis) -> list[types.Location]:
            at = convert.place(analysis.now.lines, params.position)
            found = references(workspace, analysis, at, server.folders)
            given = params.context.include_declaration
            return [location(convert, workspace, place) for place in found if given or not place.definition]

        return await server.about(params.text_document.uri, answer)

    @server.feature(types.TEXT_DOCUMENT_DOCUMENT_HIGHLIGHT)
    async def document_highlights(params: types.DocumentHighlightParams) -> list[types.DocumentHighlight] | None:
        def answer(workspace: Workspace, analysis: Analysis) -> list[types.DocumentHighlight]:
            found = highlights(workspace, analysis, convert.place(analysis.now.lines, params.position))
            kinds = {True: types.DocumentHighlightKind.Write, False: types.DocumentHighlightKind.Read}
            return [
                types.DocumentHighlight(convert.range(analysis.now.lines, place.span), kinds[place.given])
                for place in found
            ]

        # Clients that ask for this do so wherever the cursor goes.
        await server.looked_at(params.text_document.uri, params.position)
        return await server.about(params.text_document.uri, answer)

    @server.feature(types.TEXT_DOCUMENT_DOCUMENT_LINK)
    async def document_links(params: types.DocumentLinkParams) -> list[types.DocumentLink] | None:
        def answer(workspace: Workspace, analysis: Analysis) -> list[types.DocumentLink]:
            return [
                types.DocumentLink(
                    convert.range(analysis.now.lines, link.span),
                    convert.uri(link.path) if link.path is not None else link.url,
                )
                for link in links(analysis, workspace)
            ]

        return await server.about(params.text_document.uri, answer)

    @server.feature(types.TEXT_DOCUMENT_DOCUMENT_SYMBOL)
    async def document_symbols(params: types.DocumentSymbolParams) -> list[types.DocumentSymbol] | None:
        def answer(workspace: Workspace, analysis: Analysis) -> list[types.DocumentSymbol]:
            def symbol(item: Item) -> types.DocumentSymbol:
                return types.DocumentSymbol(
                    item.name,
                    KINDS[item.kind],
                    convert.range(analysis.now.lines, item.span),
                    convert.range(analysis.now.lines, item.name_span),
                    detail=item.detail or None,
                    children=[symbol(inner) for inner in item.items],
                )

            return [symbol(item) for item in outline(analysis)]

        return await server.about(params.text_document.uri, answer)

    @server.feature(types.WORKSPACE_SYMBOL)
    async def workspace_symbols(params: types.WorkspaceSymbolParams) -> list[types.WorkspaceSymbol]:
        def answer(workspace: Workspace) -> list[types.WorkspaceSymbol]:
            found = []
            for item in symbols(workspace, params.query):
                location = convert.location(item.name_span)
                if location is not None:
                    found.append(types.WorkspaceSymbol(location, item.name, KINDS[item.kind]))
            return found

        return await server.service.see(answer)

    @server.feature(types.TEXT_DOCUMENT_FOLDING_RANGE)
    async def folding_ranges(params: types.FoldingRangeParams) -> list[types.FoldingRange] | None:
        def answer(workspace: Workspace, analysis: Analysis) -> list[types.FoldingRange]:
            return [
                types.FoldingRange(
                    convert.line(analysis.now.lines, fold.first),
                    convert.line(analysis.now.lines, fold.last),
                    kind=types.FoldingRangeKind(fold.kind),
                )
                for fold in folds(analysis.now.text)
            ]

        return await server.about(params.text_document.uri, answer)

    @server.feature(types.TEXT_DOCUMENT_SELECTION_RANGE)
    async def selection_ranges(params: types.SelectionRangeParams) -> list[types.SelectionRange] | None:
        def answer(workspace: Workspace, analysis: Analysis) -> list[types.SelectionRange]:
            now = analysis.now
            found = []
            for at in params.positions:
                place = convert.place(now.lines, at)
                around = selections(now.root, now.lines, place) if now.root is not None else []
                whole: types.SelectionRange | None = None
                for span in reversed(around):
                    whole = types.SelectionRange(convert.range(now.lines, span), whole)
                found.append(whole or types.SelectionRange(types.Range(at, at)))
            return found

        return await server.about(params.text_document.uri, answer)
