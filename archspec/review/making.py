"""The page of a run from what training or evaluation has at hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archspec.review.looking import look
from archspec.review.page import Facts, render
from archspec.training.curves import best_epoch
from archspec.training.naming import names_of
from archspec.watching import chosen_by

if TYPE_CHECKING:
    from archspec.training.evaluation import Evaluated


def page_of(done: Evaluated) -> str:
    """The page of a run or an import, with a part of some data that it was evaluated on.

    Notes stand beside those that run.json keeps. Goes through the part once, in batches.
    """
    folder, spec, data, heads, pure = done.folder, done.spec, done.data, done.heads, done.pure
    graph = spec.graph()
    split = data.parts[done.part]
    named = {head.name: names_of(data, head) for head in heads if not head.train_only}
    names = {name: own.get("classes") or own.get("values") or [] for name, own in named.items()}
    looks = look(graph, pure, spec.inputs, heads, split, done.params, done.statistics, names, done.lowerings, done.type)
    about = folder.about
    records = folder.metrics().records
    held = about.get("notes")
    said = [str(note) for note in held] if isinstance(held, list) else []
    times = [own["seconds"] for own in folder.times().values() if isinstance(own.get("seconds"), (int, float))]
    main = next(head for head in heads if head.name == graph.main_output.name)
    return render(
        Facts(
            spec=spec,
            folder=folder.path,
            head=main,
            records=records,
            about=about,
            data=data.name,
            whose=done.whose,
            held="held out" if data.test is None else "validation",
            samples=len(split),
            figures=done.metrics,
            looks=looks,
            notes=list(dict.fromkeys([*said, *done.notes])),
            seconds=sum(times) if times else None,
            best=best_epoch(records, main, chosen_by(spec)) if records else None,
        )
    )
