"""Caffe's layers that read samples: what the network takes, and what was done to pixels before."""

from __future__ import annotations

from typing import Any

from archspec.importing.caffe.network import Network
from archspec.importing.caffe.parameters import Parameters


def take_input(x: Network) -> None:
    """The blobs of an input or data layer; of a data layer all but the first are targets."""
    layer = x.layer
    if x.type in ("Input", "DummyData"):
        _shaped(x, layer.inner("input_param" if x.type == "Input" else "dummy_data_param"))
        return
    if not x.tops:
        raise layer.fault(f"the layer `{x.name[:60]}` has no top")
    transform = layer.inner("transform_param")
    crop = transform.whole("crop_size")
    shape, said = [-1, crop or -1, crop or -1], False
    if x.type == "MemoryData":
        own = layer.inner("memory_data_param")
        shape = [own.whole(name, 1, low=1) for name in ("channels", "height", "width")]
    else:
        own = layer.inner("image_data_param" if x.type == "ImageData" else "dense_image_data_param")
        if not crop and own.whole("new_height") and own.whole("new_width"):
            shape[1:] = [own.whole("new_height"), own.whole("new_width")]
    means = transform.numbers("mean_value")
    if shape[0] < 0:
        grey = transform.flag("force_gray", False)
        colours = len(means) == 3 or x.type in ("ImageData", "DenseImageData", "WindowData") or bool(crop)
        if grey or colours:
            shape[0], said = (1, False) if grey else (3, len(means) != 3)
    if said:
        x.notes.append(f"`{x.tops[0][:60]}` is taken for an image of 3 channels, which the file does not say")
    x.add_input(x.tops[0], tuple(shape), _pixels(x, transform, shape[0]))
    x.labels.update(x.tops[1:])
    if x.tops[1:]:
        names = ", ".join(f"`{name[:60]}`" for name in x.tops[1:])
        x.notes.append(f"the data layer `{x.name[:60]}` gives {names} too, taken for targets")


def _shaped(x: Network, own: Parameters) -> None:
    shapes = [inner.wholes("dim") for inner in own.inners("shape")]
    if not shapes and "channels" in own:
        sizes = [own.wholes(name) for name in ("num", "channels", "height", "width")]
        shapes = [list(sizes_of_one) for sizes_of_one in zip(*sizes, strict=False)]
    if len(shapes) == 1:
        shapes *= len(x.tops)
    if len(shapes) < len(x.tops):
        raise x.layer.fault(f"the layer `{x.name[:60]}` does not say the shape of each top")
    for name, shape in zip(x.tops, shapes, strict=False):
        x.add_input(name, tuple(shape[1:]))


def _pixels(x: Network, transform: Parameters, channels: int) -> dict[str, Any]:
    """The fields of `input` that a data layer says: (pixel − mean)·scale of pixels from 0 to 255, blue first."""
    if x.type in ("HDF5Data", "DummyData", "MemoryData") or x.type == "Python":
        return {}
    scale, means = transform.number("scale", 1.0), transform.numbers("mean_value")
    if not 0 < scale < 1e6:
        raise transform.fault("`scale` is above 0")
    # 1/256 = 0.00390625 is what Caffe's own examples write.
    image: dict[str, Any] = {"range": [0.0, 255 * scale]}
    if means and channels > 0 and len(means) in (1, channels):
        image["mean"] = [mean * scale for mean in (means if len(means) == channels else means * channels)]
    if channels == 3:
        image["order"] = "bgr"
    if transform.text("mean_file"):
        x.notes.append(
            f"the mean image {transform.text('mean_file')[:100]!r} is not part of the file: `mean` is left out"
        )
    if transform.flag("mirror", False):
        x.notes.append("mirroring of training left out")
    return image
