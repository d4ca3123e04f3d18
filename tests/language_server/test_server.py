"""`archspec lsp` as a client sees it, over standard input and output."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from lsprotocol import types
from pygls.exceptions import JsonRpcException

from archspec.zoo import zoo_folder
from tests.language_server.client import Client, talk

SPEC = """\
archspec: 1
name: small
input: {height: 28, width: 28, channels: 1}
blocks:
  unit:
    args: {filters: int}
    layers:
      - conv: {filters: $(filters), kernel: 3, pad: same}
      - relu
      - max_pool: 2
layers:
  - unit: {name: a, filters: 8}
  - unit: {name: b, filters: 16}
  - flatten
  - dense: 10
"""
ALL = types.Range(types.Position(0, 0), types.Position(10_000, 0))


def about(uri: str) -> types.TextDocumentIdentifier:
    return types.TextDocumentIdentifier(uri)


async def labels(client: Client, uri: str) -> dict[int, str]:
    """The hints by line, from 1."""
    found = await client.text_document_inlay_hint_async(types.InlayHintParams(about(uri), ALL))
    return {hint.position.line + 1: str(hint.label) for hint in found or ()}


async def hovered(client: Client, uri: str, line: int, column: int) -> str:
    """What is said of a place, counted from 1."""
    found = await client.text_document_hover_async(types.HoverParams(about(uri), types.Position(line - 1, column - 1)))
    assert found is None or isinstance(found.contents, types.MarkupContent)
    return found.contents.value if found is not None else ""  # type: ignore[union-attr]


def test_layers_have_their_shapes_and_parameters(tmp_path: Path) -> None:
    async def conversation(client: Client) -> None:
        uri = client.open(tmp_path / "net.yaml", SPEC)
        assert await client.diagnostics(uri) == []
        assert await labels(client, uri) == {
            5: "a, 1 of 2 calls",
            8: "28×28×8 · 80",
            9: "28×28×8",
            10: "14×14×8",
            12: "14×14×8 · 80",
            13: "7×7×16 · 1,168",
            14: "784",
            15: "10 · 7,850",
        }

    talk(tmp_path, conversation)


def test_the_body_of_a_block_is_that_of_the_call_under_the_cursor(tmp_path: Path) -> None:
    async def conversation(client: Client) -> None:
        uri = client.open(tmp_path / "net.yaml", SPEC)
        assert "**b**: 14×14×8 → 7×7×16" in await hovered(client, uri, 13, 6)
        found = await labels(client, uri)
        assert (found[5], found[8]) == ("b, 2 of 2 calls", "14×14×16 · 1,168")
        # In the body itself the call stays; the lens above it goes on to the next.
        said = await hovered(client, uri, 8, 10)
        assert "(14 − 3 + 2·1)/1 + 1 = 14" in said and "kernel 3·3·8·16 + bias 16 = 1,168 parameters" in said
        (lens,) = [
            item
            for item in await client.text_document_code_lens_async(types.CodeLensParams(about(uri))) or ()
            if item.command and item.command.command == "archspec.showCall"
        ]
        assert lens.command is not None and lens.command.title == "show the next call: a"
        await client.workspace_execute_command_async(
            types.ExecuteCommandParams(lens.command.command, lens.command.arguments)
        )
        assert (await labels(client, uri))[8] == "28×28×8 · 80"
        assert client.refreshed > 1

    talk(tmp_path, conversation)


def test_what_nothing_is_shown_of_is_said(tmp_path: Path) -> None:
    """A layer behind an error is not known, and not left out; a block that nothing calls is said to be so."""
    text = SPEC.replace(
        "  - flatten\n",
        "  - conv: {filters: 8, kernel: 40}\n  - relu\n  - dropout: {rate: 0.5, when: false}\n  - flatten\n",
    )

    async def conversation(client: Client) -> None:
        uri = client.open(tmp_path / "net.yaml", text)
        assert [item.code for item in await client.diagnostics(uri)] == ["E301"]
        assert (await hovered(client, uri, 15, 5)).startswith("not known yet")
        whole = text.replace("kernel: 40", "kernel: 3").replace("blocks:\n", "blocks:\n  spare: {layers: [relu]}\n")
        client.type(uri, whole)
        assert await client.diagnostics(uri, lambda items: not any(item.code == "E301" for item in items)) == []
        assert (await hovered(client, uri, 17, 5)).startswith("left out here by `when`")
        found = await client.text_document_code_lens_async(types.CodeLensParams(about(uri)))
        titles = {lens.range.start.line + 1: lens.command.title for lens in found or () if lens.command}
        assert titles[5] == "not called in small"

    talk(tmp_path, conversation)


def test_a_half_written_text_keeps_the_last_network(tmp_path: Path) -> None:
    async def conversation(client: Client) -> None:
        uri = client.open(tmp_path / "net.yaml", SPEC)
        await client.diagnostics(uri)
        client.type(uri, SPEC.replace("  - flatten", "  - conv: {filters: 8, \n  - flatten"))
        found = await client.diagnostics(uri, lambda items: bool(items))
        assert [item.code for item in found] == ["E104"]
        hints = await labels(client, uri)
        assert hints[12] == "~ 14×14×8 · 80" and 14 not in hints and hints[15] == "~ 784"
        assert "before what is being written" in await hovered(client, uri, 16, 6)
        # An error in one layer leaves those above it known, and what is below it is the last that was.
        client.type(uri, SPEC.replace("  - flatten", "  - conv: {filters: 8, kernel: 9}\n  - flatten"))
        (error,) = await client.diagnostics(uri, lambda items: bool(items) and items[0].code == "E301")
        assert (error.range.start.line, error.range.start.character) == (13, 23)
        assert "(7 − 9 + 2·0)/1 + 1" in str(error.message)
        hints = await labels(client, uri)
        assert hints[13] == "7×7×16 · 1,168" and 14 not in hints and hints[16] == "~ 10 · 7,850"
        client.type(uri, SPEC)
        assert await client.diagnostics(uri, lambda items: not items) == []
        assert (await labels(client, uri))[15] == "10 · 7,850"

    talk(tmp_path, conversation)


def test_every_variant_is_read_and_one_is_shown(tmp_path: Path) -> None:
    text = SPEC.replace("blocks:", "args: {pool: 2}\nblocks:").replace("max_pool: 2", "max_pool: $(pool)")
    text += "variants:\n  usual: {}\n  wide: {pool: 14}\n"

    async def conversation(client: Client) -> None:
        uri = client.open(tmp_path / "net.yaml", text)
        found = await client.diagnostics(uri, lambda items: bool(items))
        assert [item.code for item in found] == ["E301"] and "note: in wide" in str(found[0].message)
        assert (await labels(client, uri))[14] == "7×7×16 · 1,168"
        await client.workspace_execute_command_async(types.ExecuteCommandParams("archspec.showVariant", [uri, "wide"]))
        assert (await labels(client, uri))[13] == "2×2×8 · 80"

    talk(tmp_path, conversation)


def test_files_that_use_each_other_are_read_as_they_are_in_the_editor(tmp_path: Path) -> None:
    base, net = tmp_path / "base.yaml", tmp_path / "net.yaml"
    base.write_text(SPEC)

    async def conversation(client: Client) -> None:
        uri = client.open(net, "archspec: 1\nname: net\nextends: base.yaml\n")
        assert await client.diagnostics(uri) == []
        below = client.open(base)
        await client.diagnostics(below)
        client.type(below, SPEC.replace("kernel: 3", "kernal: 3"))
        assert [item.code for item in await client.diagnostics(below, lambda items: bool(items))] == ["E201"]
        client.type(below, SPEC)
        assert await client.diagnostics(below, lambda items: not items) == []
        # Closed without saving, the disk's file counts again; a save that nobody tells of is found all the same.
        client.type(below, SPEC.replace("  - flatten\n", ""))
        client.text_document_did_close(types.DidCloseTextDocumentParams(about(below)))
        base.write_text(SPEC.replace("dense: 10", "dense: 7"))
        said = await client.text_document_code_lens_async(types.CodeLensParams(about(uri)))
        assert said and said[0].command and "6,755 parameters" not in said[0].command.title
        assert "7 · " not in str(said)

    talk(tmp_path, conversation)


def test_a_library_is_shown_as_an_open_spec_calls_it(tmp_path: Path) -> None:
    head, rest = SPEC.split("blocks:")
    body, layers = rest.split("layers:\n  - unit")
    library, net = tmp_path / "blocks.yaml", tmp_path / "net.yaml"

    async def conversation(client: Client) -> None:
        uri = client.open(library, f"archspec: 1\nname: blocks\nblocks:{body}")
        assert await client.diagnostics(uri) == [] and await labels(client, uri) == {}
        other = client.open(net, f"{head}import: blocks.yaml\nlayers:\n  - unit{layers}")
        assert await client.diagnostics(other) == []
        assert (await labels(client, uri))[7] == "28×28×8 · 80"

    talk(tmp_path, conversation)


def test_other_yaml_is_left_alone(tmp_path: Path) -> None:
    async def conversation(client: Client) -> None:
        uri = client.open(tmp_path / "docker-compose.yaml", "services: {web: {image: nginx}}\n", "yaml")
        assert await labels(client, uri) == {} and await hovered(client, uri, 1, 2) == ""
        client.text_document_did_change(
            types.DidChangeTextDocumentParams(types.VersionedTextDocumentIdentifier(1, "git:/net.yaml"), [])
        )
        # A spec that was pasted over is none any more, one whose first line is typed anew is.
        spec = client.open(tmp_path / "net.yaml", SPEC, "yaml")
        await client.diagnostics(spec)
        client.type(spec, SPEC.replace("archspec: 1\n", ""))
        assert await client.diagnostics(spec, lambda items: bool(items))
        client.type(spec, "services: {}\n")
        assert await client.diagnostics(spec, lambda items: not items) == []
        assert await labels(client, spec) == {}
        assert uri not in client.told or not client.told[uri].diagnostics
        assert client.messages == []

    talk(tmp_path, conversation)


def test_characters_of_two_units_and_odd_ends_of_lines(tmp_path: Path) -> None:
    text = (
        SPEC.replace("name: small", "name: small # 😀\u2028# é").replace("\n", "\r\n")
        + "  - conv: {kernel: 1, filters: 😀}\r\n"
    )

    async def conversation(client: Client) -> None:
        uri = client.open(tmp_path / "é (1).yaml", text)
        found = await client.diagnostics(uri, lambda items: bool(items))
        places = {str(item.code): (item.range.start.line, item.range.start.character) for item in found}
        assert places == {"E206": (15, 31)}, found

    talk(tmp_path, conversation)


def test_a_file_by_two_names_is_one(tmp_path: Path) -> None:
    real, link = tmp_path / "net.yaml", tmp_path / "link.yaml"
    real.write_text(SPEC)
    link.symlink_to(real)

    async def conversation(client: Client) -> None:
        first, second = client.open(real), client.open(link)
        await client.diagnostics(second)
        client.type(second, SPEC.replace("relu", "rely"))
        assert await client.diagnostics(second, lambda items: bool(items))
        assert client.told[first].diagnostics
        client.text_document_did_close(types.DidCloseTextDocumentParams(about(second)))
        assert (await labels(client, first))[8] == "28×28×8 · 80"

    talk(tmp_path, conversation)


@pytest.mark.parametrize("path", sorted(zoo_folder().glob("*.yaml")), ids=lambda path: path.stem)
def test_specs_that_are_right_are_found_to_be(path: Path, workspace: Any) -> None:
    workspace.put(path, path.read_text("utf-8"))
    analysis = workspace.analysis(path)
    assert analysis.now.diagnostics == ()
    assert analysis.now.graph is not None


def applied(text: str, edits: Sequence[Any]) -> str:
    """A text of one-unit characters and plain line ends with an editor's edits made in it."""
    lines = text.split("\n")
    starts = [sum(len(line) + 1 for line in lines[:number]) for number in range(len(lines) + 1)]

    def offset(place: types.Position) -> int:
        return min(starts[min(place.line, len(lines))] + place.character, len(text))

    for edit in sorted(edits, key=lambda edit: offset(edit.range.start), reverse=True):
        text = text[: offset(edit.range.start)] + edit.new_text + text[offset(edit.range.end) :]
    return text


def test_a_quick_fix_mends_what_it_is_for(tmp_path: Path) -> None:
    wrong = SPEC.replace("max_pool", "max_pol").replace("kernel: 3", "kernal: 3")

    async def conversation(client: Client) -> None:
        uri = client.open(tmp_path / "net.yaml", wrong)
        text, found = wrong, await client.diagnostics(uri, lambda items: bool(items))
        for _ in range(2):
            actions = await client.text_document_code_action_async(
                types.CodeActionParams(about(uri), found[0].range, types.CodeActionContext(found))
            )
            action = next(item for item in actions or () if isinstance(item, types.CodeAction) and item.is_preferred)
            assert action.edit is not None and action.edit.document_changes is not None
            (change,) = action.edit.document_changes
            assert isinstance(change, types.TextDocumentEdit)
            assert change.text_document.version == client.versions[uri]
            text = applied(text, change.edits)
            client.type(uri, text)
            found = await client.diagnostics(uri)
        assert found == [] and text == SPEC

    talk(tmp_path, conversation)


def test_formatting_outline_folds_and_selections(tmp_path: Path) -> None:
    ugly = SPEC.replace("{name: a, filters: 8}", "{ name: a,filters:   8 }   # why").replace(
        "\nlayers:", "\n\n\nlayers:"
    )

    async def conversation(client: Client) -> None:
        uri = client.open(tmp_path / "net.yaml", ugly)
        options = types.FormattingOptions(2, True)
        edits = await client.text_document_formatting_async(types.DocumentFormattingParams(about(uri), options))
        neat = applied(ugly, edits or ())
        assert neat == SPEC.replace("filters: 8}", "filters: 8} # why").replace("\nlayers:", "\n\nlayers:")
        client.type(uri, neat)
        again = await client.text_document_formatting_async(types.DocumentFormattingParams(about(uri), options))
        assert not again
        symbols = await client.text_document_document_symbol_async(types.DocumentSymbolParams(about(uri)))
        named = {item.name: item for item in symbols or () if isinstance(item, types.DocumentSymbol)}
        assert [item.name for item in named["layers"].children or ()][:2] == ["a", "b"]
        assert [item.name for item in named["blocks"].children or ()] == ["unit"]
        folds = await client.text_document_folding_range_async(types.FoldingRangeParams(about(uri)))
        assert (3, 9) in {(fold.start_line, fold.end_line) for fold in folds or ()}
        ranges = await client.text_document_selection_range_async(
            types.SelectionRangeParams(about(uri), [types.Position(7, 30)])
        )
        widths = []
        assert ranges
        at: types.SelectionRange | None = ranges[0]
        while at is not None:
            widths.append((at.range.end.line - at.range.start.line, at.range.end.character - at.range.start.character))
            at = at.parent
        assert widths[0] == (0, len("$(filters)")) and len(widths) > 5
        found = await client.workspace_symbol_async(types.WorkspaceSymbolParams("unit"))
        assert [item.name for item in found or ()] == ["unit"]

    talk(tmp_path, conversation)


def test_completion_has_what_fits(tmp_path: Path) -> None:
    text = SPEC.replace("  - dense: 10\n", "  - \n")

    async def offered(client: Client, uri: str, line: int, column: int) -> dict[str, types.CompletionItem]:
        found = await client.text_document_completion_async(
            types.CompletionParams(about(uri), types.Position(line - 1, column - 1))
        )
        assert isinstance(found, types.CompletionList)
        return {item.label: item for item in found.items}

    async def conversation(client: Client) -> None:
        uri = client.open(tmp_path / "net.yaml", text)
        items = await offered(client, uri, 15, 5)
        # Behind a flatten there is a vector: what is for maps alone is not offered.
        assert {"dense", "relu", "dropout"} <= items.keys() and not {"conv", "max_pool", "unit"} & items.keys()
        dense = items["dense"]
        assert (
            isinstance(dense.text_edit, types.TextEdit) and dense.insert_text_format is types.InsertTextFormat.Snippet
        )
        assert "784 → " in str(dense.detail) and "units" in str(dense.text_edit.new_text) + str(dense.documentation)
        client.type(uri, text.replace("  - \n", "  - conv: {from: b, filters: 3, ker"))
        fields = await offered(client, uri, 15, 37)
        assert "kernel" in fields and "filters" not in fields

    talk(tmp_path, conversation)


def test_names_are_found_and_renamed_across_files(tmp_path: Path) -> None:
    head, rest = SPEC.split("blocks:")
    body, layers = rest.split("layers:\n  - unit")
    library, net = tmp_path / "parts.yaml", tmp_path / "net.yaml"
    library.write_text(f"archspec: 1\nname: parts\nblocks:{body}")
    text = f"{head}import: parts.yaml\nlayers:\n  - unit{layers}"

    async def conversation(client: Client) -> None:
        uri = client.open(net, text)
        await client.diagnostics(uri)
        line = next(number for number, words in enumerate(text.split("\n")) if "name: a" in words)
        at = types.Position(line, 6)
        (found,) = await client.text_document_definition_async(types.DefinitionParams(about(uri), at)) or ()  # type: ignore[misc]
        assert isinstance(found, types.Location)
        assert (found.uri, found.range.start.line) == (library.as_uri(), 3)
        uses = await client.text_document_references_async(
            types.ReferenceParams(types.ReferenceContext(include_declaration=True), about(uri), at)
        )
        assert sorted((item.uri, item.range.start.line) for item in uses or ()) == sorted(
            [(library.as_uri(), 3), (uri, line), (uri, line + 1)]
        )
        marked = await client.text_document_document_highlight_async(types.DocumentHighlightParams(about(uri), at))
        assert [item.range.start.line for item in marked or ()] == [line, line + 1]
        edit = await client.text_document_rename_async(types.RenameParams(about(uri), at, "piece"))
        assert edit is not None and edit.document_changes is not None
        changes = {
            item.text_document.uri: item for item in edit.document_changes if isinstance(item, types.TextDocumentEdit)
        }
        assert changes[uri].text_document.version == 1 and changes[library.as_uri()].text_document.version is None
        assert applied(text, changes[uri].edits) == text.replace("- unit", "- piece")
        with pytest.raises(JsonRpcException, match="conv"):
            await client.text_document_rename_async(types.RenameParams(about(uri), at, "conv"))
        links = await client.text_document_document_link_async(types.DocumentLinkParams(about(uri)))
        assert [item.target for item in links or ()] == [library.as_uri()]

    talk(tmp_path, conversation)


def test_words_have_their_colours(tmp_path: Path) -> None:
    async def conversation(client: Client) -> None:
        uri = client.open(tmp_path / "net.yaml", SPEC)
        legend = client.legend
        found = await client.text_document_semantic_tokens_full_async(types.SemanticTokensParams(about(uri)))
        assert found is not None
        numbers, line, column = list(found.data), 0, 0
        words: dict[tuple[int, str], str] = {}
        lines = SPEC.split("\n")
        for at in range(0, len(numbers), 5):
            down, right, length, kind, _ = numbers[at : at + 5]
            line, column = line + down, right + (0 if down else column)
            words[line + 1, lines[line][column : column + length]] = legend[kind]
        expected = {
            (5, "unit"): "class",
            (6, "filters"): "parameter",
            (8, "conv"): "class",
            (8, "kernel"): "property",
            (8, "3"): "number",
            (12, "a"): "variable",
        }
        assert {key: words[key] for key in expected} == expected
        assert words[5, "unit"] == words[12, "unit"]

    talk(tmp_path, conversation)
