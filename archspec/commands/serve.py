"""Shows a spec as a page in the browser, which follows the files as they are saved."""

from __future__ import annotations

import argparse

from archspec.commands._common import overrides_of, positive, show, spec_options
from archspec.diagnostics import DataError, SpecError, count
from archspec.output import say


def options(command: argparse.ArgumentParser) -> None:
    command.add_argument("spec", metavar="SPEC")
    command.add_argument("--port", type=_port, default=0, metavar="N", help="port to listen on (default a free one)")
    command.add_argument("--open", action="store_true", help="open the page in the browser")
    command.add_argument("--mode", choices=("eval", "train"), default="eval", help="train shows train-only heads too")
    command.add_argument("--batch", type=positive, default=1, metavar="N", help="samples per forward pass (default 1)")
    spec_options(command, formats=())
    command.epilog = "example: archspec serve specs/zoo/lenet.yaml --open"


def run(options: argparse.Namespace) -> int:
    import gc
    from threading import Event

    from archspec.serving import Server, spec_served, watch

    # Each saved file makes a whole new network, and what the last one was made of must not pile up.
    gc.enable()
    served = spec_served(
        options.spec, overrides_of(options), mode=options.mode, batch=options.batch, strict=options.strict
    )
    served.refresh()
    if not any(served.files.values()):
        raise SpecError(served.diagnostics)
    try:
        server = Server(served, options.port)
    except DataError as error:
        raise error.located(None) from error
    server.start()
    print(f"{options.spec}: {server.url} (Ctrl-C ends it)", flush=True)
    show(served.diagnostics, options)
    if options.open:
        import webbrowser

        webbrowser.open(server.url)

    def news() -> None:
        errors = sum(item.severity == "error" for item in served.diagnostics)
        say(count(errors, "error") if errors else "made anew")

    try:
        watch(served, news, Event())
    except KeyboardInterrupt:
        server.stop()
    return 0


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 0 <= int(text[:6]) < 2**16:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port: a number from 0 to 65535")
    return int(text)
