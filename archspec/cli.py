"""The command line. Each command imports what it needs when it runs.

Exit status: 0 fine (warnings allowed), 1 the spec or its data is wrong, 2 the command line is wrong, 130 interrupted.
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from archspec import options as of
from archspec.diagnostics import Diagnostic, Findings, SpecError, count, render_json, render_text

if TYPE_CHECKING:
    from archspec.loading import Spec
    from archspec.spec.overrides import Override


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit status."""
    words = list(sys.argv[1:] if argv is None else argv)
    parser = _parser(words[0] if words and words[0] in _COMMANDS else None)
    options = parser.parse_args(words)
    if not hasattr(options, "run"):
        parser.print_help()
        return 2
    run: Callable[[argparse.Namespace], int] = options.run
    # Commands that only read build many objects and drop few: collecting garbage would only cost them time.
    reads = run not in (_train, _eval, _predict, _weights)
    collecting = gc.isenabled() and reads
    if collecting:
        gc.disable()
    # Pydantic looks through every installed package for plugins; none is of use here.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    try:
        if not reads:
            from archspec.training.interrupt import lose_nothing

            lose_nothing()
        status = run(options)
        sys.stdout.flush()
        return status
    except SpecError as error:
        _show(error.diagnostics, options)
        return 1
    except (KeyboardInterrupt, ImportError) as error:
        if isinstance(error, ImportError):
            from archspec.training.interrupt import interrupts

            if not interrupts.is_set():
                raise
        print("interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # The reader of a pipe has gone, which is no error of ours; nothing more can be printed.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    finally:
        if collecting:
            gc.enable()


def _parser(chosen: str | None = None) -> argparse.ArgumentParser:
    """The parser of all commands; where one is chosen, only its options are set up."""
    parser = argparse.ArgumentParser(
        prog="archspec",
        description="Compiles networks written in YAML into JAX: checks, reports, trains.",
        epilog="SPEC is a path, a path with #variant, or a name from `archspec zoo`.",
    )
    parser.add_argument("--version", action="store_true", help="print the version and exit")
    parser.set_defaults(run=_version)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    for name, (run, options, help) in _COMMANDS.items():
        command = commands.add_parser(name, help=help, description=help[0].upper() + help[1:] + ".")
        command.set_defaults(run=run)
        if chosen in (None, name):
            options(command)
    return parser


def _colour() -> bool:
    return sys.stderr.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"


def _show(diagnostics: Sequence[Diagnostic], options: argparse.Namespace) -> None:
    """Prints diagnostics: text on standard error, JSON on standard output."""
    if getattr(options, "format", "text") == "json":
        print(render_json(diagnostics))
    elif diagnostics:
        print(render_text(diagnostics, colour=_colour()), file=sys.stderr)


def _overrides(options: argparse.Namespace) -> list[Override]:
    """The overrides of `--set` and `--input`. Raises `SpecError` when one cannot be understood."""
    from archspec.spec.overrides import parse_input, parse_override

    findings = Findings()
    found = [parse_override(text, findings) for text in options.overrides]
    if options.input:
        found.extend(parse_input(options.input, findings))
    findings.raise_if_failed()
    return [item for item in found if item is not None]


def _failed(diagnostics: Sequence[Diagnostic], options: argparse.Namespace) -> bool:
    return any(item.severity == "error" or options.strict for item in diagnostics)


def _open(target: str, options: argparse.Namespace) -> Spec:
    """One checked spec. Warnings are printed; raises `SpecError` on errors, and with --strict on warnings."""
    from archspec.loading import open_spec

    spec = open_spec(target, _overrides(options))
    diagnostics = spec.diagnostics
    if _failed(diagnostics, options):
        raise SpecError(diagnostics)
    if options.format != "json":
        _show(diagnostics, options)
    return spec


def _json(value: Any) -> str:
    import json

    return json.dumps(value, indent=2, ensure_ascii=False)


def _version(options: argparse.Namespace) -> int:
    from archspec import __version__

    if not options.version:
        _parser().print_help()
        return 2
    print(f"archspec {__version__}")
    return 0


def _validate(options: argparse.Namespace) -> int:
    from archspec.loading import open_specs

    overrides = _overrides(options)
    found: list[Diagnostic] = []
    for target in options.specs:
        try:
            specs = open_specs(target, overrides)
        except SpecError as error:
            found.extend(error.diagnostics)
            continue
        found.extend(_of_family(specs))
        for spec in specs:
            if options.format != "json" and not _failed(spec.diagnostics, options):
                graph = spec.graph().pruned("eval")
                print(
                    f"ok: {spec.name} — {count(len(graph.nodes), 'layer')}, {graph.count('trainable'):,} parameters, "
                    f"{graph.macs:,} multiply–adds"
                )
    unique = list(dict.fromkeys(found))
    _show(unique, options)
    return 1 if _failed(unique, options) else 0


def _of_family(specs: Sequence[Spec]) -> list[Diagnostic]:
    """The diagnostics of a file's variants, each once, saying which variants it concerns unless it is all."""
    from dataclasses import replace

    where: dict[Diagnostic, list[str]] = {}
    for spec in specs:
        for item in spec.diagnostics:
            where.setdefault(item, []).append(spec.variant or "the spec without a variant")
    return [
        item
        if len(names) == len(specs)
        else replace(item, notes=(*item.notes, f"in {', '.join(names[:8])}{' and others' if len(names) > 8 else ''}"))
        for item, names in where.items()
    ]


def _show_spec(options: argparse.Namespace) -> int:
    spec = _open(options.spec, options)
    if not options.graph:
        text = spec.to_yaml()
        if options.format == "json":
            from archspec.source import read_text

            value = read_text(text, "elaborated", Findings())
            print(_json(value.plain if value else None))
        else:
            print(text, end="")
        return 0
    from archspec.reports import report

    made = report(spec.graph(), mode="train")
    if options.format == "json":
        from archspec.reports.json import render

        print(render(made))
        return 0
    from archspec.reports.table import aligned

    rows = [(row.name, row.kind, ", ".join(row.inputs), "×".join(map(str, row.output))) for row in made.rows]
    print("\n".join(aligned([("layer", "kind", "from", "output"), *rows], [False, False, False, True])))
    return 0


def _report(options: argparse.Namespace) -> int:
    from archspec.reports import report
    from archspec.reports.json import to_dict
    from archspec.reports.table import render

    made = [report(_open(target, options).graph(), mode=options.mode, batch=options.batch) for target in options.specs]
    if options.format == "json":
        plain = [to_dict(item) for item in made]
        print(_json(plain[0] if len(plain) == 1 else plain))
    else:
        print("\n\n".join(render(item) for item in made))
    return 0


def _train(options: argparse.Namespace) -> int:
    spec = _open(options.spec, options)
    from archspec.training.run import train

    result = train(spec, options.workdir, overwrite=options.overwrite, command=" ".join(sys.argv))
    print(result.summary())
    return 0


def _eval(options: argparse.Namespace) -> int:
    from archspec.training.inference import evaluate

    metrics = evaluate(options.folder)
    if options.format == "json":
        print(_json(metrics))
    else:
        from archspec.training.inference import class_names_of
        from archspec.training.tasks import TASKS, class_table

        task = next(task for task in TASKS.values() if task.headline in metrics)
        print(f"held out: loss {metrics['loss']:.4f}  {task.said(metrics)}")
        if "iou" in metrics:
            print(class_table(class_names_of(options.folder, len(metrics["iou"])), metrics["iou"]))
    return 0


def _predict(options: argparse.Namespace) -> int:
    from archspec.training.inference import predict

    findings = Findings()
    answers = predict(
        options.folder,
        options.images,
        top=options.top,
        invert=options.invert,
        output=options.output,
        findings=findings,
    )
    if options.format == "json":
        diagnostics = [item.to_json() for item in findings.items]
        print(_json({"answers": [answer.to_dict() for answer in answers], "diagnostics": diagnostics}))
    else:
        for answer in answers:
            said = ", ".join(f"{name} {100 * value:.1f} %" for name, value in answer.classes)
            print(f"{answer.image}: {said}" + (f" → {answer.mask}" if answer.mask else ""))
        sys.stdout.flush()
        _show(findings.items, options)
    return 1 if findings.failed else 0


def _weights(options: argparse.Namespace) -> int:
    return _weights_import(options) if options.action == "import" else _weights_export(options)


def _weights_import(options: argparse.Namespace) -> int:
    _open(options.spec, options)  # shows what there is to warn of, and obeys --strict
    from archspec.weights.folder import import_weights

    found = import_weights(
        options.spec,
        options.file,
        options.output,
        names=options.names,
        partial=options.partial,
        overrides=_overrides(options),
    )
    if options.format == "json":
        print(_json({"folder": str(options.output), **found.to_dict()}))
    else:
        print(f"{found.summary()}\nfolder {options.output}")
    return 0


def _weights_export(options: argparse.Namespace) -> int:
    from archspec.weights.folder import export_weights

    names, tensors = export_weights(options.folder, options.file, names=options.names)
    if options.format == "json":
        print(_json({"file": str(options.file), "names": names, "tensors": tensors}))
    else:
        print(f"{options.file}: {count(tensors, 'tensor')}, named as {names} has them")
    return 0


def _layers(options: argparse.Namespace) -> int:
    from archspec.kinds import FAMILIES, kind_names
    from archspec.reports.kinds import describe_kind, describe_kinds, kind_to_dict

    names = {family: kind_names(family) for family in FAMILIES}
    if options.kind is None:
        if options.format == "json":
            print(_json([kind_to_dict(name, family) for family in FAMILIES for name in names[family]]))
        else:
            print(describe_kinds())
        return 0
    families = [family for family in FAMILIES if options.kind in names[family]]
    if not families:
        from archspec.spec.reading import unknown_kind

        findings = Findings()
        unknown_kind(options.kind, None, {name for own in names.values() for name in own}, "kind", findings)
        findings.raise_if_failed()
    if options.format == "json":
        plain = [kind_to_dict(options.kind, family) for family in families]
        print(_json(plain[0] if len(plain) == 1 else plain))
    else:
        print("\n\n".join(describe_kind(options.kind, family) for family in families))
    return 0


def _zoo(options: argparse.Namespace) -> int:
    from archspec.loading import load
    from archspec.reports.table import aligned, si
    from archspec.zoo import zoo_variants

    rows = []
    for name, (_, variant) in zoo_variants().items():
        if variant is None:
            continue
        spec = load(name)
        graph = spec.graph().pruned("eval")
        rows.append((name, spec.header.title, graph))
    if options.format == "json":
        plain = [
            {"name": name, "title": title, "params": graph.count("trainable"), "macs": graph.macs}
            for name, title, graph in rows
        ]
        print(_json(plain))
        return 0
    head = ("name", "input", "params", "MACs", "title")
    lines = [
        (name, str(graph.input), f"{graph.count('trainable'):,}", si(graph.macs), title) for name, title, graph in rows
    ]
    print("\n".join(aligned([head, *lines], [False, True, True, True, False])))
    return 0


def _schema(options: argparse.Namespace) -> int:
    from archspec.spec.schema import json_schema

    print(_json(json_schema()))
    return 0


def _doctor(options: argparse.Namespace) -> int:
    from archspec.doctor import examine, render

    facts = examine()
    print(_json(facts) if options.format == "json" else render(facts))
    return 0 if facts["ok"] else 1


_COMMANDS: dict[str, tuple[Callable[[argparse.Namespace], int], Callable[[argparse.ArgumentParser], None], str]] = {
    "validate": (_validate, of.validate_options, "check specs; a family file checks every variant"),
    "show": (_show_spec, of.show_options, "print the elaborated spec, every default filled in"),
    "report": (_report, of.report_options, "parameters, multiply–adds, shapes and receptive fields"),
    "train": (_train, of.train_options, "train a network; checkpoints, metrics and curves in a run folder"),
    "eval": (_eval, of.eval_options, "evaluate a trained run on its held-out data"),
    "predict": (_predict, of.predict_options, "classes of image files, or of each of their pixels, by a trained run"),
    "weights": (_weights, of.weights_options, "import and export weights"),
    "layers": (_layers, of.layers_options, "list the kinds of layers, datasets, optimisers, …, or all about one"),
    "zoo": (_zoo, of.zoo_options, "list the networks that come with archspec"),
    "schema": (_schema, of.schema_options, "print the language's JSON Schema, for editors"),
    "doctor": (_doctor, of.doctor_options, "versions, devices and what is missing"),
}
"""Every command: what runs it, what sets its options up, and its help."""


if __name__ == "__main__":
    sys.exit(main())
