"""What a spec has to say of a network of the zoo that it extends, so that it fits and its recipe is gone."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import archspec.loading as loading
from archspec.diagnostics import DataError, did_you_mean, listed
from archspec.loading import Spec
from archspec.zoo import zoo_networks

CLASSES = "classes"
"""The argument with which networks say how many classes they tell apart."""
EXPECTED = ("range", "order", "mean", "std", "interpolation")
"""How pixels become numbers for files of weights."""


class ZooNetwork:
    """A network of the zoo, or of a file, that a spec extends."""

    def __init__(self, name: str) -> None:
        """Raises `DataError` where there is none of that name, `SpecError` where its file is wrong."""
        known = zoo_networks()
        if name not in known:
            near = did_you_mean(name, known)
            raise DataError(
                "E101", f"there is no network {name[:100]} in the zoo", help=[near or f"there are {listed(known, 20)}"]
            )
        self.name = name

    @cached_property
    def spec(self) -> Spec:
        return loading.load(self.name)

    @property
    def own_size(self) -> tuple[int, int] | None:
        """Height and width of its own input, where it takes one image."""
        images = list(self.spec.images.values())
        return (images[0].height, images[0].width) if len(images) == len(self.spec.inputs) == 1 else None

    @property
    def maps(self) -> bool:
        """Whether it gives a class for each pixel."""
        return any(output.is_map for output in self._outputs)

    @property
    def _outputs(self) -> list[Any]:
        return [head.type for head in self.spec.heads()]

    def unfit(self, task: str, form: str) -> str | None:
        """Why it is of no use for a task and for samples of a form; None where it is."""
        if form != "image":
            return f"{self.name} takes images, and the data are none"
        if self.own_size is None:
            return f"{self.name} takes several inputs"
        if CLASSES not in self.spec.args:
            return f"{self.name} has no argument `{CLASSES}`, with which it could tell other classes apart"
        if task == "regression":
            return f"{self.name} tells classes apart, and the data have numbers to be found"
        if self.maps != (task == "segmentation"):
            given, wanted = ("map", "image") if self.maps else ("image", "pixel")
            one = f"gives a class for each {given}" if given == "image" else "gives a map for each image"
            return f"{self.name} {one}, and the data have classes of {wanted}s"
        return None

    def left_over(self, own: dict[str, Any]) -> list[str]:
        """The fields of its recipe that are not at their defaults, and that the spec does not set itself."""
        train = self.spec.train
        if train is None:
            return []
        fields = type(train).model_fields
        return [
            name
            for name in sorted(train.model_fields_set)
            if name not in own and getattr(train, name) != fields[name].get_default(call_default_factory=True)
        ]

    def expected(self) -> dict[str, Any]:
        """How pixels become numbers for its files of weights, where its tables say so."""
        for known in self.spec.weights.values():
            fields = {name: value for name, value in known.input.items() if name in EXPECTED}
            if fields:
                return fields
        return {}

    def last_layers(self) -> list[str]:
        """The layers whose arrays depend on the number of classes: those that begin anew with other classes."""
        number = int(self.spec.args[CLASSES])
        graphs = [loading.load(self.name, None, classes=own).graph() for own in (number + 1, number + 2)]
        arrays = [
            {(node.path, weight.name): weight.shape for node in graph.nodes for weight in node.weights}
            for graph in graphs
        ]
        differing = [path for (path, name), shape in arrays[0].items() if arrays[1].get((path, name)) != shape]
        return list(dict.fromkeys(differing))
