"""Which methods are done: those that are named, else those that have a meaning for the network and fit the time."""

from __future__ import annotations

from archspec.diagnostics import listed
from archspec.explaining.attacking import PGD_STEPS
from archspec.explaining.attributing import NOISY, WINDOWS
from archspec.explaining.explanation import METHODS
from archspec.explaining.question import BUDGET, Question
from archspec.explaining.units import FIELD_SAMPLES
from archspec.figures.receptive_field import with_places
from archspec.inspecting import attributions
from archspec.inspecting.filters import first_filters
from archspec.inspecting.subject import RECTIFIER
from archspec.inspecting.visualising import Search

NUMBERS = 512
"""Numbers of a vector that are left out one by one, at most."""


def methods_for(question: Question) -> tuple[str, ...]:
    """The methods that are done, in order; what is left out is noted."""
    wanted = question.asked.methods
    kept, dear = [], []
    for method in wanted or METHODS:
        why = _cannot(question, method)
        if why:
            if wanted is not None or method in ("fgsm", "visualisation", "gradcam"):
                question.notes.append(f"no {method}: {why}")
        elif wanted is None and cost_of(question, method) > BUDGET:
            dear.append(method)
        else:
            kept.append(method)
    if dear:
        question.notes.append(
            f"left out, for more than {BUDGET:,} multiply–adds an image: {listed(dear)}; "
            f"`--methods {','.join(dear)}` has {'it' if len(dear) == 1 else 'them'} done"
        )
    return tuple(kept)


def _cannot(question: Question, method: str) -> str:
    """Why a method has no meaning for this network, in words; nothing where it has."""
    if method in ("fgsm", "pgd", "visualisation") and question.image is None:
        return f"its input is a {question.takes}, whose numbers have no range"
    if method == "visualisation" and len(question.sections) > 1:
        return "the network has several inputs, which would have to be looked for together"
    if method in ("gradcam", "effective_field") and not with_places(question.graph):
        return "no layer's positions stand for places of the input"
    if method == "guided_backprop" and not any(node.kind == RECTIFIER for node in question.graph.nodes):
        return f"the network has no `{RECTIFIER}`, so it would be the gradient itself"
    if method == "filters" and first_filters(question.graph, question.arrays) is None:
        return "no layer moves kernels over the input itself"
    if (
        method == "occlusion"
        and question.takes == "vector"
        and question.sections[question.input].type.shape[0] > NUMBERS
    ):
        return f"the input has more than {NUMBERS} numbers to leave out one by one"
    return ""


def cost_of(question: Question, method: str) -> int:
    """Multiply–adds for one sample, a gradient being three passes."""
    gradients = {
        "saliency": 1,
        "smoothgrad": NOISY,
        "integrated_gradients": attributions.STEPS,
        "guided_backprop": 1,
        "gradcam": 1,
        "effective_field": FIELD_SAMPLES,
        "visualisation": Search().steps,
        "fgsm": 1,
        "pgd": PGD_STEPS,
    }
    forward = {"occlusion": (WINDOWS + 1) ** 2, "activations": 1}
    return question.macs * (3 * gradients.get(method, 0) + forward.get(method, 0))
