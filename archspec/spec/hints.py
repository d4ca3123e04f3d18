"""What people may have meant: names of other libraries, near spellings, a space that is missing."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from archspec.diagnostics import did_you_mean

_FIELDS: dict[str, tuple[str, ...]] = {
    "lr": ("learning_rate",),
    "lr0": ("learning_rate",),
    "baselr": ("learning_rate",),
    "betas": ("beta1",),
    "eps": ("epsilon",),
    "wd": ("weight_decay",),
    "l2": ("weight_decay",),
    "outchannels": ("filters", "units"),
    "outfeatures": ("units", "filters"),
    "outplanes": ("filters",),
    "channels": ("filters",),
    "numfilters": ("filters",),
    "nfilters": ("filters",),
    "numoutput": ("units", "filters"),
    "filters": ("units",),
    "units": ("filters",),
    "features": ("units", "filters"),
    "neurons": ("units",),
    "numclasses": ("classes", "units", "filters"),
    "nc": ("classes",),
    "kernelsize": ("kernel", "window"),
    "ksize": ("kernel", "window"),
    "kernel": ("window", "size"),
    "size": ("kernel", "window"),
    "poolsize": ("window",),
    "window": ("kernel",),
    "strides": ("stride",),
    "padding": ("pad", "sides"),
    "paddings": ("pad", "sides"),
    "dilationrate": ("dilation",),
    "dilations": ("dilation",),
    "outputpadding": ("output_pad",),
    "ceilmode": ("rounding",),
    "countincludepad": ("count_pad",),
    "usebias": ("bias",),
    "kernelinitializer": ("init",),
    "biasinitializer": ("bias_init",),
    "weightinit": ("init",),
    "affine": ("scale",),
    "center": ("bias",),
    "negativeslope": ("slope",),
    "alpha": ("slope",),
    "p": ("rate",),
    "prob": ("rate",),
    "droprate": ("rate",),
    "dropout": ("rate",),
    "scalefactor": ("factor",),
    "batch": ("batch_size",),
    "bs": ("batch_size",),
    "maxepochs": ("epochs",),
    "numepochs": ("epochs",),
    "nepochs": ("epochs",),
    "criterion": ("loss",),
    "data": ("dataset",),
    "randomstate": ("seed",),
    "pretrained": ("init_from",),
    "weights": ("init_from",),
    "share": ("tied", "weights"),
    "shared": ("tied", "weights"),
    "shareweights": ("tied", "weights"),
    "sharedweights": ("tied", "weights"),
    "weightsharing": ("tied", "weights"),
    "sharedwith": ("weights",),
    "sharewith": ("weights",),
    "shareweightswith": ("weights",),
    "weightsfrom": ("weights",),
    "weightsof": ("weights",),
    "reuse": ("weights",),
    "reuseweights": ("weights",),
    "tie": ("tied", "weights"),
    "tied": ("weights",),
    "tieweights": ("tied", "weights"),
    "tiedweights": ("tied", "weights"),
    "inputs": ("from",),
    "input": ("from",),
    "model": ("layers",),
    "network": ("layers",),
    "head": ("layers",),
    "neck": ("layers",),
    "backbone": ("layers",),
    "training": ("train",),
}
"""What Keras, PyTorch, Caffe and darknet call fields, without capitals, `_` and `-`."""

_NO_FIELD = {
    "inchannels": "input channels follow from the layer before",
    "infeatures": "input features follow from the layer before",
    "inputshape": "the shape follows from the layer before; the network's is in the section `input`",
    "inputdim": "input features follow from the layer before",
    "activation": "an activation is a layer of its own: `- relu` after this one",
    "batchnormalize": "normalisation is a layer of its own: `- batch_norm` after this one",
    "paddingmode": "`- pad: {sides: 1, mode: reflect}` before this one pads otherwise than with zeros",
    "dataformat": "maps are height × width × channels, always",
    "nc": "the number of classes is an argument of your own: `args: {classes: 10}`",
    "numclasses": "the number of classes is an argument of your own: `args: {classes: 10}`",
    "depthmultiple": "sizes of a family are arguments that `variants` set",
    "widthmultiple": "sizes of a family are arguments that `variants` set",
    "scales": "sizes of a family are arguments that `variants` set",
    "anchors": "networks for detection cannot be trained; their layers can be written",
    "classname": "a kind is the key itself: `- conv: {filters: 8, kernel: 3}` in `layers`",
    "config": "a kind is the key itself: `- conv: {filters: 8, kernel: 3}` in `layers`",
    "trainable": "`train.init_from` has `freeze` for layers that are not trained",
}
"""What other libraries have as a field and this language has not, and what it has instead."""

_KINDS = {
    "convolution": "conv",
    "convolutional": "conv",
    "convbn": "conv",
    "fc": "dense",
    "fullyconnected": "dense",
    "connected": "dense",
    "innerproduct": "dense",
    "linear": "dense",
    "deconv": "transposed_conv",
    "deconvolution": "transposed_conv",
    "deconvolutional": "transposed_conv",
    "convtranspose": "transposed_conv",
    "convtransposed": "transposed_conv",
    "bn": "batch_norm",
    "batchnormalization": "batch_norm",
    "swish": "silu",
    "hswish": "hard_swish",
    "hsigmoid": "hard_sigmoid",
    "lrelu": "leaky_relu",
    "leaky": "leaky_relu",
    "upsample": "resize",
    "upsampling": "resize",
    "interpolate": "resize",
    "cat": "concat",
    "concatenate": "concat",
    "route": "concat",
    "merge": "concat",
    "shortcut": "residual",
    "eltwise": "add",
    "mul": "multiply",
    "scalechannels": "multiply",
    "gap": "global_avg_pool",
    "globalaveragepooling": "global_avg_pool",
    "globalavgpooling": "global_avg_pool",
    "averagepooling": "avg_pool",
    "averagepool": "avg_pool",
    "avgpooling": "avg_pool",
    "adaptiveaveragepooling": "adaptive_avg_pool",
    "adaptivemaxpooling": "adaptive_max_pool",
    "globalmaxpooling": "global_max_pool",
    "gmp": "global_max_pool",
    "unsharedconv": "locally_connected",
    "mhsa": "self_attention",
    "multiheadattention": "self_attention",
    "nonlocal": "self_attention",
    "nonlocalblock": "self_attention",
    "attention": "self_attention",
    "maxpooling": "max_pool",
    "maxunpooling": "max_unpool",
    "localresponsenorm": "lrn",
    "zeropadding": "pad",
    "zeropad": "pad",
    "reflectionpad": "pad",
    "cropping": "crop",
    "constantpad": "pad",
    "replicationpad": "pad",
    "centercrop": "crop",
    "dropout1d": "spatial_dropout",
    "dropout2d": "spatial_dropout",
    "dropout3d": "spatial_dropout",
    "channeldropout": "spatial_dropout",
    "drop": "dropout",
    "droppath": "stochastic_depth",
    "dropconnect": "stochastic_depth",
    "survival": "stochastic_depth",
    "noop": "identity",
    "ln": "layer_norm",
    "layernormalization": "layer_norm",
    "gn": "group_norm",
    "groupnormalization": "group_norm",
    "instancenormalization": "instance_norm",
    "syncbatchnorm": "batch_norm",
    "crossmaplrn": "lrn",
    "unitnormalization": "l2_normalise",
    "l2norm": "l2_normalise",
    "normalize": "l2_normalise",
    "l2normalize": "l2_normalise",
    "gamma": "layer_scale",
    "pixelshuffle": "depth_to_space",
    "pixelunshuffle": "space_to_depth",
    "reorg": "space_to_depth",
    "shuffle": "channel_shuffle",
    "shufflechannels": "channel_shuffle",
    "view": "reshape",
    "unflatten": "reshape",
    "chunk": "split",
    "narrow": "slice",
    "subtraction": "subtract",
    "sub": "subtract",
    "mean": "global_avg_pool",
    "elementwiseadd": "add",
    "sum": "add",
    "upsamplingbilinear": "resize",
    "upsamplingnearest": "resize",
    "resizing": "resize",
    "convolutiontranspose": "transposed_conv",
    "separableconvolution": "separable_conv",
    "depthwiseconvolution": "depthwise_conv",
    "dwconv": "depthwise_conv",
    "pointwiseconv": "conv",
    "conv1x1": "conv",
    "conv3x3": "conv",
    "dilatedconv": "conv",
    "atrousconv": "conv",
    "groupconv": "conv",
    "groupedconv": "conv",
    "kaimingnormal": "he_normal",
    "kaiminguniform": "he_uniform",
    "kaiming": "he_normal",
    "msra": "he_normal",
    "xavier": "glorot_uniform",
    "xavieruniform": "glorot_uniform",
    "xaviernormal": "glorot_normal",
    "gaussian": "normal",
    "crossentropyloss": "cross_entropy",
    "categoricalcrossentropy": "cross_entropy",
    "sparsecategoricalcrossentropy": "cross_entropy",
    "nll": "cross_entropy",
    "nllloss": "cross_entropy",
    "softmaxloss": "cross_entropy",
    "bce": "binary_cross_entropy",
    "bceloss": "binary_cross_entropy",
    "bcewithlogitsloss": "binary_cross_entropy",
    "binarycrossentropy": "binary_cross_entropy",
    "mseloss": "mse",
    "l2loss": "mse",
    "meansquarederror": "mse",
    "mae": "l1",
    "l1loss": "l1",
    "meanabsoluteerror": "l1",
    "smoothl1": "huber",
    "smoothl1loss": "huber",
    "huberloss": "huber",
    "diceloss": "dice",
    "focalloss": "focal",
    "binaryfocalcrossentropy": "focal",
    "categoricalfocalcrossentropy": "focal",
    "multimarginloss": "hinge",
    "categoricalhinge": "hinge",
    "squaredhinge": "hinge",
    "svm": "hinge",
    "autoencoder": "reconstruction",
    "semanticsegmentation": "segmentation",
    "multiclass": "classification",
    "binaryclassification": "multi_label",
    "top1": "top_k",
    "top5": "top_k",
    "f1": "macro_f1",
    "f1score": "macro_f1",
    "iou": "mean_iou",
    "miou": "mean_iou",
    "jaccard": "mean_iou",
    "map": "mean_average_precision",
    "averageprecision": "mean_average_precision",
    "rootmeansquarederror": "rmse",
    "r2score": "r2",
    "momentum": "sgd",
    "steplr": "step",
    "multistep": "step",
    "multisteplr": "step",
    "cosineannealing": "cosine",
    "cosineannealinglr": "cosine",
    "cosinedecay": "cosine",
    "linearlr": "linear",
    "imagefolder": "image_folder",
    "imagenet": "image_folder",
    "mnist": "mnist5k",
}
"""What other libraries and papers call kinds, without capitals, `_`, `-` and the number of dimensions."""

_METRICS = {
    "categoricalaccuracy": "accuracy",
    "sparsecategoricalaccuracy": "accuracy",
    "binaryaccuracy": "accuracy",
    "multiclassaccuracy": "accuracy",
    "topkcategoricalaccuracy": "top_k",
    "sparsetopkcategoricalaccuracy": "top_k",
    "topkaccuracy": "top_k",
    "top1": "top_k",
    "top5": "top_k",
    "f1": "macro_f1",
    "f1score": "macro_f1",
    "jaccard": "mean_iou",
    "jaccardindex": "mean_iou",
    "iou": "mean_iou",
    "miou": "mean_iou",
    "meanabsoluteerror": "mae",
    "mse": "rmse",
    "meansquarederror": "rmse",
    "rootmeansquarederror": "rmse",
    "r2score": "r2",
    "peaksignalnoiseratio": "psnr",
    "map": "mean_average_precision",
    "averageprecision": "mean_average_precision",
    "meanap": "mean_average_precision",
}
"""What other libraries call metrics; some of their names are losses' too."""

_CHAIN = "a list of layers is a chain; a `blocks:` entry gives one a name"
_INPUT = "what goes in is said in the section `input`"
_SCALING = "the section `input` says it: `range`, and `mean` and `std` of each channel"
_AUGMENT = "random changes of the training images are said in `train`: `augment: {random_flip: true}`"
_ORDER = "maps are height × width × channels, always; `reshape` gives the same numbers another shape"

_NO_KIND = {
    "sequential": _CHAIN,
    "modulelist": _CHAIN,
    "moduledict": _CHAIN,
    "input": _INPUT,
    "inputlayer": _INPUT,
    "activation": "activations are kinds: `- relu`",
    "rescaling": _SCALING,
    "normalization": _SCALING,
    "normalisation": _SCALING,
    "permute": _ORDER,
    "transpose": _ORDER,
    "squeeze": _ORDER,
    "unsqueeze": _ORDER,
    "circularpad": "`pad` has the modes constant, reflect and edge; none goes round",
    "timedistributed": "`- conv: {filters: 8, kernel: 1}` is a dense layer at each position of a signal",
    "lambda": "a function of your own is a layer of your own: `--plugin my_layers.py` (docs/plugins.md)",
    "randaugment": _AUGMENT,
    "mixup": _AUGMENT,
    "cutmix": _AUGMENT,
    "augmix": _AUGMENT,
}
"""What other libraries have as a layer and this language has not, and what it has instead."""

_NOTHING = frozenset(
    """
    activityregularization additiveattention alphadropout autocontrast bidirectional bilinear categoryencoding
    celu convlstm cosinesimilarity discretization dot einsumdense embedding embeddingbag equalization
    featurealphadropout fold fractionalmaxpool gaussiandropout gaussiannoise geglu glu groupqueryattention gru
    grucell hardshrink hardtanh hashedcrossing hashing logsigmoid lppool lstm lstmcell masking mbconv
    melspectrogram min minimum pairwisedistance power reglu repeatvector rmsnorm rmsnormalization rnn rnncell
    rrelu selu simplernn simplernncell softmin softshrink softsign spectralnorm spectralnormalization
    stftspectrogram swiglu tanhshrink threshold transformer transformerencoder transformerdecoder
    transformerencoderlayer transformerdecoderlayer unfold
    """.split()  # noqa: SIM905 (a list would have a line for each)
)
"""Layers of other libraries that have no counterpart here, though some kind may be spelt nearly alike."""

_DIMENSIONS = re.compile(r"[123]d(?=$|transpose|lstm)")


def _plain(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "").replace(" ", "")


def synonyms(name: str) -> tuple[str, ...]:
    """What this language may call a field that other libraries call so; the name itself where nothing is known."""
    return _FIELDS.get(_plain(name), (name,))


def is_shape(name: str) -> bool:
    """Whether a field is what other libraries call the shape of an input."""
    return _plain(name) in ("shape", "inputshape", "inputsize", "size", "inputdim", "inputdims", "imagesize", "imgsz")


def shape_hint(value: Any, name: str = "input", *, side: bool = False) -> str | None:
    """How an input is written that was given as a list, as Keras and PyTorch have it: `[28, 28, 1]`, `[3, 224, 224]`.

    None where the list is no shape. An axis for the batch is left out. With `side` one or two numbers are those of an
    image, as a size is.
    """
    if isinstance(value, str) and re.fullmatch(r"\d{1,6}( ?[x×,] ?\d{1,6})+", value):
        value = [int(number) for number in re.findall(r"\d+", value)]
    numbers = list(value) if isinstance(value, (list, tuple)) else [value]
    if len(numbers) > 1 and (numbers[0] in (None, "None", "N", -1) or len(numbers) == 4):
        numbers = numbers[1:]
    if not all(isinstance(number, int) and not isinstance(number, bool) and number > 0 for number in numbers):
        return None
    if side and len(numbers) < 3:
        return f"of an image `{name}: {{height: {numbers[0]}, width: {numbers[-1]}, channels: 3}}`"
    if len(numbers) == 3:
        height, width, channels = numbers
        # PyTorch's order has the channels first.
        if height <= 4 < min(width, channels):
            height, width, channels = width, channels, height
        return f"write `{name}: {{height: {height}, width: {width}, channels: {channels}}}`"
    if len(numbers) == 2:
        first, second = numbers
        return (
            f"an image is `{name}: {{height: {first}, width: {second}, channels: 1}}`, a signal "
            f"`{name}: {{length: {max(numbers)}, channels: {min(numbers)}}}`"
        )
    return f"write `{name}: {{features: {numbers[0]}}}`" if len(numbers) == 1 else None


KIND_AS_VALUE = ("type", "class_name", "module", "kind", "layer")
"""Keys under which other formats write a layer's kind."""


def space_missing(name: str, known: Iterable[str]) -> str | None:
    """`height:28`, which YAML reads as one word, or None where it is something else."""
    word, colon, value = name.partition(":")
    if not colon or word not in set(known):
        return None
    value = value.strip() or "…"
    return f"a space belongs after the colon: `{word}: {value[:40]}`"


def field_hint(name: str, known: Iterable[str], also: Iterable[str] = ()) -> str | None:
    """What a field that there is not may have been meant to be; None where nothing is near."""
    known = list(known)
    spaced = space_missing(name, [*known, *also])
    if spaced:
        return spaced
    plain = _plain(name)
    for candidate in [*known, *also]:
        if _plain(candidate) == plain:
            return f"did you mean `{candidate}`?"
    for candidate in _FIELDS.get(plain, ()):
        if candidate in known or candidate in also:
            return f"did you mean `{candidate}`?"
    return _NO_FIELD.get(plain) or did_you_mean(name, [*known, *also])


def kind_hint(name: str, known: Iterable[str]) -> str | None:
    """What a kind that there is not may have been meant to be; None where nothing is near."""
    known = list(known)
    spaced = space_missing(name, known)
    if spaced:
        return spaced
    written = _plain(name.rpartition(".")[2]).removeprefix("lazy")
    plain = _DIMENSIONS.sub("", written)
    is_layer = "conv" in known
    if is_layer and plain != written and "3d" in written and plain != "dropout":
        return "layers work on maps, signals and vectors; there are no volumes"
    for elsewhere in (_KINDS.get(written), _KINDS.get(plain), _METRICS.get(plain)):
        if elsewhere in known:
            return f"did you mean `{elsewhere}`?"
    for candidate in known:
        if _plain(candidate) == plain:
            return f"did you mean `{candidate}`?"
    if is_layer:
        loss = _KINDS.get(plain, _KINDS.get(plain.removesuffix("loss"), ""))
        if plain.endswith("loss"):
            return "a loss is said in `train`, or with an output: `loss: " + (loss or "…") + "`"
        if plain in _NO_KIND or plain.startswith("random"):
            return _NO_KIND.get(plain, _AUGMENT)
        if plain in _NOTHING:
            return None
    return did_you_mean(name, known)
