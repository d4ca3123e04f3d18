"""An explanation as one offline page: the network's own, with a panel in which its images are looked into."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from archspec.diagnostics import count, listed
from archspec.explaining.embedding import few, floats, png, sheet, shrunk, signed, size_of
from archspec.explaining.explanation import METHODS, Answered, Attacked, Explanation, Sample, Unit
from archspec.explaining.forms import form_of, piece_of, taken_by
from archspec.figures.arithmetic import arithmetic
from archspec.figures.receptive_field import Seen
from archspec.graph import Node, input_number, is_input
from archspec.images.masks import palette
from archspec.page.page import Panel, render
from archspec.page.payload import payload

SMALL, LARGE = 5_000_000, 20_000_000
"""Bytes that a page has: of a network whose weights all fit into the smaller, and of any other."""
SCRIPTS = ("walk", "maps", "inside")
RATED = 10
"""Classes of an answer that are listed."""
AMPLIFIED = 8
"""How many times larger an attack's differences are shown, at most; those that fill the range, less."""

_STATIC = Path(__file__).parent / "static"
Say = Callable[[str], None]


class Page(NamedTuple):
    """The page's text, and what did not fit into it, in sentences with counts."""

    html: str
    left_out: tuple[str, ...]


def page_of(made: Explanation, say: Say = lambda text: None) -> Page:
    """The page of an explanation; `say` is told what is being done."""
    data = _Data(made, say)
    whole = data.all()
    style = (_STATIC / "inside.css").read_text("utf-8")
    script = "\n".join((_STATIC / f"{name}.js").read_text("utf-8") for name in SCRIPTS)
    panel = Panel("inside", "inside", (_STATIC / "inside.html").read_text("utf-8"), style, script, whole)
    return Page(render(data.network, panel=panel), tuple(whole["left_out"]))


class _Data:
    """What the script is given. What must be there is gathered first, then what fits, layer by layer."""

    def __init__(self, made: Explanation, say: Say) -> None:
        self.made, self.say = made, say
        self.graph = made.run.graph.pruned("eval")
        self.network = payload(made.run.spec)
        self.numbers = {node.path: index for index, node in enumerate(self.graph.nodes)}
        weights = made.run._weights
        self.arrays: Mapping[str, Any] = {**weights.params, **weights.statistics}
        held = 4 * 4 * sum(int(np.prod(array.shape)) for array in self.arrays.values()) // 3
        self.limit = SMALL if held < SMALL // 2 else LARGE
        self.left_out: list[str] = []

    def all(self) -> dict[str, Any]:
        made = self.made
        whole: dict[str, Any] = {
            "run": str(made.folder),
            "walk": {"channel": ["--filter"], "at": ["--at"], "image": ["--image"]},
            "input": made.input,
            "takes": made.takes,
            "data": made.run.spec.train is not None,
            "methods": dict(METHODS),
            "steps": [self._step(node) for node in self.graph.nodes],
            "source": -1 - [item.name for item in self.graph.inputs].index(made.input),
            "colours": self._colours(),
            "images": [self._image(place) for place in range(len(made.samples))],
            "units": [self._unit(unit) for unit in (*made.units, *made.more_units)],
            "fields": self._fields(),
            "filters": self._filters(),
            "notes": list(made.notes),
            "arrays": {},
            "left_out": self.left_out,
        }
        room = self.limit - len(render(self.network)) - 120_000 - size_of(whole)
        room = self._sheets(whole, room)
        self._numbers(whole, room)
        return whole

    def _step(self, node: Node) -> dict[str, Any]:
        window = node.layer.footprint(node.input_types, node.output)
        form = form_of(node)
        return {
            "inputs": list(node.inputs),
            "ports": list(node.ports),
            "takes": [list(kind.shape) for kind in node.input_types],
            "window": None if window is None else window._asdict(),
            "form": form,
            "from": None if form is None else taken_by(self.graph, node, form),
            "lines": [f"{name}: {line}" for name, line in arithmetic(node).lines()],
        }

    def _colours(self) -> list[str]:
        """Of the classes of a mask."""
        names = next(
            (len(_value(answer)[0, 0]) for answer in self.made.samples[0].answers if answer.mask is not None), 0
        )
        return [f"#{bytes(colour.tolist()).hex()}" for colour in palette(names)] if names else []

    # One image

    def _image(self, place: int) -> dict[str, Any]:
        sample = self.made.samples[place]
        variants = {(sample.explained.output, sample.explained.number): sample}
        for other in self.made.others:
            own_other = other.samples[place]
            there = own_other.answers[0].mask
            if there is None or (there == own_other.explained.number).any():
                variants.setdefault((own_other.explained.output, own_other.explained.number), own_other)
        own: dict[str, Any] = {
            "name": sample.name,
            "fitted": sample.fitted,
            "answers": [self._answer(answer) for answer in sample.answers],
            "variants": [self._variant(variant) for variant in variants.values()],
            "attacks": [self._attack(attack, sample) for attack in sample.attacks.values()],
            "sheets": {},
            "values": {},
            "pieces": {},
        }
        if sample.pixels is not None:
            own |= {"png": png(sample.pixels), "height": sample.pixels.shape[0], "width": sample.pixels.shape[1]}
        else:
            array = np.asarray(sample.inputs[self.made.input], np.float32)
            flat = array if array.ndim > 1 else array[:, None]
            own |= {
                "png": "",
                "height": 1,
                "width": len(flat),
                "line": few(flat[:, :3]),
                "lines": min(flat.shape[1], 3),
            }
        return own

    def _answer(self, answer: Answered) -> dict[str, Any]:
        own: dict[str, Any] = {
            "output": answer.output,
            "kind": answer.kind,
            "likely": answer.likely,
            "predicted": [name for name, _ in answer.predicted],
            "rated": [[name, number] for name, number in answer.rated[:RATED]],
            "rest": max(0, len(answer.rated) - RATED),
        }
        if answer.mask is not None and answer.mask.ndim == 2 and _value(answer).shape[-1] <= 256:
            share = np.take_along_axis(_value(answer), answer.mask[..., None], -1)[..., 0]
            own["mask"] = {
                "png": png(answer.mask.astype(np.uint8)),
                "height": answer.mask.shape[0],
                "width": answer.mask.shape[1],
                "share": png(np.clip(np.rint(share * 255), 0, 255).astype(np.uint8)),
                "names": self._class_names(answer),
            }
        return own

    def _class_names(self, answer: Answered) -> list[str]:
        channels = _value(answer).shape[-1]
        names = list(self.made.run.classes) if answer.output == self.graph.main_output.name else []
        return names if len(names) == channels else [str(number) for number in range(channels)]

    def _variant(self, sample: Sample) -> dict[str, Any]:
        explained = sample.explained
        overlays = []
        for method, item in sample.attributions.items():
            overlays.append({"method": method, "said": item.said, **signed(item.map(self.made.input))})
        if sample.cam is not None:
            size = "×".join(map(str, sample.cam.map.shape))
            overlays.append(
                {
                    "method": "gradcam",
                    "path": sample.cam.path,
                    "channel": sample.cam.strongest,
                    "said": f"of {sample.cam.path}, {size}, enlarged over the image",
                    **signed(sample.cam.map),
                }
            )
        return {
            "output": explained.output,
            "number": explained.number,
            "name": explained.name,
            "what": explained.what,
            "why": explained.why if any(sample is own for own in self.made.samples) else "as chosen here",
            "score": explained.score,
            "before": explained.before,
            "overlays": overlays,
        }

    def _attack(self, attack: Attacked, sample: Sample) -> dict[str, Any]:
        assert sample.pixels is not None
        moved = attack.pixels.astype(np.int32) - sample.pixels.astype(np.int32)
        most = max(1, int(np.abs(moved).max()))
        factor = max(1, min(AMPLIFIED, 127 // most))
        return {
            "method": attack.method,
            "said": attack.said,
            "epsilon": attack.epsilon,
            "steps": attack.steps,
            "rate": attack.rate,
            "png": png(attack.pixels),
            "difference": png(np.clip(128 + factor * moved, 0, 255).astype(np.uint8)),
            "factor": factor,
            "most": most,
            "before": self._answer(attack.before),
            "after": self._answer(attack.after),
        }

    # What does not depend on the image

    def _unit(self, unit: Unit) -> dict[str, Any]:
        patches = []
        for patch in unit.patches:
            own: dict[str, Any] = {"name": patch.name, "value": patch.value, "position": list(patch.position)}
            if patch.pixels is not None and patch.pixels.dtype == np.uint8 and patch.pixels.ndim == 3:
                own |= {"png": png(patch.pixels), "height": patch.pixels.shape[0], "width": patch.pixels.shape[1]}
            patches.append(own | {"seen": _seen(patch.seen)})
        visualised = unit.visualised
        return {
            "path": unit.path,
            "channel": unit.channel,
            "position": None if unit.position is None else list(unit.position),
            "why": unit.why,
            "looked": unit.looked,
            "part": unit.part,
            "patches": patches,
            "visualised": None
            if visualised is None
            else {
                "png": png(visualised.pixels),
                "before": visualised.before,
                "after": visualised.after,
                "said": visualised.said,
            },
        }

    def _fields(self) -> dict[str, Any]:
        return {
            path: {
                "position": list(field.position),
                "theoretical": _seen(field.theoretical),
                "pixels": field.pixels,
                "outside": field.outside,
                **signed(field.map),
            }
            for path, field in self.made.fields.items()
        }

    def _filters(self) -> dict[str, Any] | None:
        filters = self.made.filters
        if filters is None:
            return None
        kernels = filters.kernels
        if kernels.ndim == 3:  # of a signal
            kernels = kernels[:, None]
        most = float(np.abs(kernels).max()) or 1.0
        numbers, height, width, channels = kernels.shape
        found: dict[str, Any] = {
            "path": filters.path,
            "number": numbers,
            "height": height,
            "width": width,
            "most": most,
        }
        if channels == 3:
            bytes_of = np.rint(127.5 + 127.5 * kernels / most).astype(np.uint8)
            return {**found, "colours": True, "png": png(bytes_of.reshape(numbers * height, width, 3))}
        shown = min(channels, 8)
        if shown < channels:
            self.left_out.append(f"of the {count(channels, 'channel')} of the first layer's filters {shown} are shown")
        bytes_of = np.rint(128 + 127 * kernels[..., :shown] / most).astype(np.uint8)
        laid = bytes_of.transpose(0, 1, 3, 2).reshape(numbers * height, shown * width)
        return {**found, "colours": False, "channels": shown, "png": png(laid)}

    # What fits

    @cached_property
    def _x(self) -> dict[str, np.ndarray]:
        """What the network takes of all samples."""
        stacked = {
            name: np.stack([sample.inputs[name] for sample in self.made.samples])
            for name in self.made.samples[0].inputs
        }
        return {name: np.asarray(own) for name, own in self.made.run._forward.prepare(stacked).items()}

    def _value(self, place: int, number: int) -> np.ndarray | None:
        """What a node gives for a sample, or an input is; None where it was not gathered."""
        if is_input(number):
            return np.asarray(self._x[self.graph.inputs[input_number(number)].name][place], np.float32)
        return self.made.samples[place].activations.get(self.graph.nodes[number].path)

    def _sheets(self, whole: dict[str, Any], room: int) -> int:
        """Adds the maps of layers as grey pictures, image by image; says how many bytes are left.

        Three fifths of what the page has are for them. The script makes those of rectifiers and batch normalisations
        from the maps before them; of the others the largest are shrunk until all fit.
        """
        images, steps = whole["images"], whole["steps"]
        own = [number for number, node in enumerate(self.graph.nodes) if not self._follows(number, steps)]
        most = room * 6 // 10
        factors = self._factors(own, most // max(len(images), 1))
        spent, left, lacking = 0, 0, 0
        for name in {name for number, step in enumerate(steps) if number not in own for name in _names(step["form"])}:
            whole["arrays"][name] = {
                "shape": list(self.arrays[name].shape),
                "data": floats(np.asarray(self.arrays[name])),
            }
            spent += len(whole["arrays"][name]["data"]) + 60
        for place, image in enumerate(images):
            self.say(f"maps of {image['name']}")
            for number in own:
                value = self._value(place, number)
                if value is None:
                    lacking += 1
                    continue
                made = sheet(shrunk(value, factors[number]) if factors[number] > 1 else value)
                takes = size_of(made)
                if spent + takes > most:
                    left += 1
                    continue
                spent += takes
                image["sheets"][str(number)] = made
        number = len(images) * len(own)
        small = sum(factor > 1 for factor in factors.values())
        if small:
            self.left_out.append(
                f"the resolution of the maps of {small:,} of {len(own):,} layers, which are shown at a half or less"
            )
        if left:
            self.left_out.append(f"maps of {left:,} of {number:,} layers and images, for {self.limit / 1e6:g} MB")
        if lacking:
            self.left_out.append(f"maps of {lacking:,} of {number:,} layers and images, which were not asked for")
        return room - spent

    def _follows(self, number: int, steps: Sequence[Mapping[str, Any]]) -> bool:
        """Whether the script can make a node's maps from those of the node before it."""
        form = steps[number]["form"]
        return form is not None and form["op"] in ("relu", "batch_norm") and self.graph.nodes[number].inputs[0] >= 0

    def _factors(self, numbers: Sequence[int], room: int) -> dict[int, int]:
        """By how much maps are shrunk so that all about fit: the largest first, to 7 places along an axis or more."""
        nodes = self.graph.nodes
        factors = dict.fromkeys(numbers, 1)

        def bytes_of(number: int) -> float:
            # Bytes that do not deflate, in base64.
            node = nodes[number]
            return float(1.34 * node.output.size / factors[number] ** len(node.output.spatial) + 200)

        while sum(map(bytes_of, numbers)) > room:
            wide = [
                number for number in numbers if min(nodes[number].output.spatial, default=0) // factors[number] >= 14
            ]
            if not wide:
                break
            factors[max(wide, key=bytes_of)] *= 2
        return factors

    def _numbers(self, whole: dict[str, Any], room: int) -> None:
        """Adds the numbers that layers take and their weights, so that any of their units is taken apart.

        Image by image, the layers that need least of them first. Of a layer whose numbers do not fit, those of the unit
        that answers most are cut out.
        """
        if not any(sample.activations for sample in self.made.samples):
            return  # which is said of the maps
        forms = [number for number, step in enumerate(whole["steps"]) if step["form"] is not None]
        everything = sum(self._needs(number, whole) for number in forms) * len(whole["images"])
        kept = room if everything * 6 <= room else room * 7 // 10
        spent, left, pieces = 0, 0, 0
        lost: dict[int, None] = {}
        for place, image in enumerate(whole["images"]):
            self.say(f"numbers of {image['name']}")
            missing = []
            for number in sorted(forms, key=lambda own: self._needs(own, whole)):
                takes = self._add_numbers(whole, image, place, number, kept - spent)
                if takes is None:
                    missing.append(number)
                else:
                    spent += takes
            for number in missing:
                lost[number] = None
                left += 1
                piece = self._piece(whole["steps"][number], place, number)
                if piece is not None and spent + size_of(piece) <= room:
                    spent += size_of(piece)
                    image["pieces"][str(number)] = piece
                    pieces += 1
        if left:
            many = len(forms) * len(whole["images"])
            there = f", of {pieces:,} of which one unit's are there" if pieces else ""
            paths = [self.graph.nodes[number].path for number in sorted(lost)]
            self.left_out.append(
                f"numbers of {left:,} of the {many:,} layers and images whose units can be taken apart{there}: "
                f"{listed(paths, 6)}"
            )

    def _needs(self, number: int, whole: Mapping[str, Any]) -> int:
        """How many numbers the units of a layer are made of."""
        step = whole["steps"][number]
        sizes: list[int] = [self.graph.nodes[number].output.size, *(int(np.prod(own)) for own in step["takes"])]
        return sum(sizes, sum(int(np.prod(self.arrays[name].shape)) for name in _names(step["form"])))

    def _add_numbers(
        self, whole: dict[str, Any], image: dict[str, Any], place: int, number: int, room: int
    ) -> int | None:
        """Adds what the units of a layer are made of; the bytes that it takes, or None where it is not added."""
        step = whole["steps"][number]
        wanted = [own for own in dict.fromkeys([*step["from"], number]) if str(own) not in image["values"]]
        values = {own: self._value(place, own) for own in wanted}
        names = [name for name in _names(step["form"]) if name not in whole["arrays"]]
        whole_size = sum(int(np.prod(self.arrays[name].shape)) for name in names)
        # Numbers deflate to a fifth at best, so what is far too large is not even tried.
        if any(own is None for own in values.values()):
            return None
        if sum(own.size for own in values.values() if own is not None) + 4 * whole_size > room:
            return None
        new = {str(own): floats(value) for own, value in values.items() if value is not None}
        packed = {name: floats(np.asarray(self.arrays[name])) for name in names}
        takes = sum(map(len, new.values())) + sum(map(len, packed.values())) + 60 * (len(new) + len(packed))
        if takes > room:
            return None
        image["values"] |= new
        for name, data in packed.items():
            whole["arrays"][name] = {"shape": list(self.arrays[name].shape), "data": data}
        return takes

    def _piece(self, step: Mapping[str, Any], place: int, number: int) -> dict[str, Any] | None:
        """What the unit that answers most is made of."""
        values = [self._value(place, own) for own in step["from"]]
        own = self._value(place, number)
        if own is None or any(value is None for value in values):
            return None
        *at, channel = (int(index) for index in np.unravel_index(int(own.argmax()), own.shape))
        arrays = {name: np.asarray(self.arrays[name]) for name in _names(step["form"])}
        piece = piece_of(step["form"], at, channel, [value for value in values if value is not None], arrays)
        if piece is None:
            return None
        inputs = [{"shape": list(part.shape), "data": floats(part)} for part in piece["inputs"]]
        used = {use: {"shape": list(part.shape), "data": floats(part)} for use, part in piece["arrays"].items()}
        return {**piece, "inputs": inputs, "arrays": used, "value": float(own[(*at, channel)])}


def _names(form: Mapping[str, Any]) -> list[str]:
    return [form[use] for use in ("weights", "bias", "scale", "mean", "variance") if form.get(use)]


def _seen(seen: Seen | None) -> dict[str, Any] | None:
    return None if seen is None else {"first": list(seen.first), "end": list(seen.end), "exact": seen.exact}


def _value(answer: Answered) -> np.ndarray:
    assert answer.value is not None
    return answer.value
