"""What people of other libraries write is understood: a near spelling, a known synonym, or nothing at all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from archspec.diagnostics import did_you_mean
from archspec.kinds import STRUCTURE, kind_names
from archspec.loading import load, open_spec
from archspec.spec.hints import kind_hint

INPUT = "input: {height: 16, width: 16, channels: 4}\n"
Write = Callable[..., Path]


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ("{conv: {filters: 3, kernel: 3, activation: relu}}", "- relu"),
        ("{conv: {out_channels: 3, kernel_size: 3}}", "`filters`"),
        ("{conv: {filters: 3, kernel: 3, in_channels: 3}}", "follow from the layer before"),
        ("{conv: {filters: 3, kernel: 3, padding: 1}}", "`pad`"),
        ("{conv: {filters: 3, kernel: 3, strides: 2}}", "`stride`"),
        ("{conv: {units: 3, kernel: 3}}", "`filters`"),
        ("{max_pool: {kernel_size: 3}}", "`window`"),
        ("{dense: {filters: 3}}", "`units`"),
        ("{Conv2d: {filters: 3, kernel: 3}}", "`conv`"),
        ("{MaxPool2d: 2}", "`max_pool`"),
        ("BatchNorm", "`batch_norm`"),
        ("BatchNormalization", "`batch_norm`"),
        ("ReLU", "`relu`"),
        ("LeakyReLU", "`leaky_relu`"),
        ("GlobalAveragePooling2D", "`global_avg_pool`"),
        ("Concatenate", "`concat`"),
        ("{add: [a, b]}", "- add: {from: [a, b]}"),
        ("dense:84", "dense: 84"),
        ("{nn.Upsample: 2}", "`resize`"),
        ("{type: Conv2d, out_channels: 3}", "- conv: {…}"),
        ("{class_name: Dense, config: {units: 3}}", "- dense: {…}"),
        ("[-1, 1, Conv, [64, 3, 2]]", "`from` names the layers it takes"),
        ("{conv: {filters:3, kernel: 3}}", "filters: 3"),
    ],
)
def test_layers_of_other_libraries(write: Write, entry: str, words: str) -> None:
    found = open_spec(str(write(INPUT + f"layers: [{entry}]"))).diagnostics
    assert any(words in way for item in found for way in item.help), [item.help for item in found]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("optimiser: {adam: {lr: 0.1}}", "`learning_rate`"),
        ("optimiser: {adam: {weight-decay: 0.1}}", "`weight_decay`"),
        ("optimizer: adam", "`optimiser`"),
        ("scheduler: cosine", "`schedule`"),
        ("num_epochs: 3", "`epochs`"),
        ("validation_split: 0.2", "`validation`"),
        ("num_workers: 2", "`workers`"),
        ("gradient_clip_val: 1", "`clip`"),
        ("patience: 3", "`early_stopping`"),
        ("class_weight: balanced", "`loss: {cross_entropy: {class_weights"),
        ("label_smoothing: 0.1", "`loss: {cross_entropy: {label_smoothing"),
        ("weight_decay: 0.1", "`optimiser: {sgd: {weight_decay: …}}`"),
        ("warmup_epochs: 5", "`schedule: {cosine: {warmup: 5}}`"),
        ("schedule: {cosine: {warmup_epochs: 5}}", "`warmup`"),
        ("mixup: 0.2", "`augment: [{mixup: 0.2}]`"),
        ("precision: bf16", "`bfloat16`"),
        ("precision: 16-mixed", "`float16`"),
        ("stream: true", "`always`"),
        ("early_stopping: true", "their number"),
        ("ema: true", "its decay"),
        ("schedule: MultiStepLR", "`step`"),
    ],
)
def test_recipes_of_other_libraries(write: Write, line: str, words: str) -> None:
    found = open_spec(str(write(INPUT + f"layers: [relu]\ntrain: {{{line}}}"))).diagnostics
    assert any(words in way for item in found for way in item.help)


@pytest.mark.parametrize("text", ["input: {height:28, width: 28, channels: 1}", "input:\n  height:28\n  width:28\n"])
def test_a_missing_space_after_a_colon(write: Write, text: str) -> None:
    found = open_spec(str(write(text + "\nlayers: [relu]"))).diagnostics
    assert any("`height: 28" in way for item in found for way in item.help)


def test_files_of_other_formats(write: Write) -> None:
    found = open_spec(str(write("nc: 80\nbackbone: []\nclass_name: Sequential", whole=True))).diagnostics
    said = " ".join(way for item in found for way in item.help)
    assert "args: {classes: 10}" in said and "`layers`" in said and "a kind is the key itself" in said


@pytest.mark.parametrize("word", ["activation", "name", "xyz", "trainable", "momentum2000", "f"])
def test_strangers_are_not_offered(word: str) -> None:
    fields = ["filters", "kernel", "stride", "dilation", "groups", "pad", "rounding", "bias", "init", "bias_init"]
    assert did_you_mean(word, fields) is None


def test_adam_has_the_usual_rate(write: Write) -> None:
    for kind in ("adam", "adamw"):
        train = load(write(INPUT + f"layers: [relu]\ntrain: {{optimiser: {kind}}}")).train
        assert train is not None and train.optimiser.learning_rate == 0.001


NONE, VOLUME, AUGMENT = "", "no volumes", "`augment: "
KERAS = {
    "Activation": "- relu",
    "ActivityRegularization": NONE,
    "Add": "`add`",
    "AdditiveAttention": NONE,
    "AlphaDropout": NONE,
    "Attention": "`self_attention`",
    "AugMix": AUGMENT,
    "AutoContrast": NONE,
    "Average": "`average`",
    "AveragePooling1D AveragePooling2D AvgPool2D": "`avg_pool`",
    "AveragePooling3D Conv3D Conv3DTranspose Cropping3D MaxPooling3D UpSampling3D ZeroPadding3D": VOLUME,
    "BatchNormalization": "`batch_norm`",
    "Bidirectional": NONE,
    "CategoryEncoding": NONE,
    "CenterCrop Cropping1D Cropping2D": "`crop`",
    "Concatenate": "`concat`",
    "Conv1D Conv2D Convolution2D": "`conv`",
    "Conv1DTranspose Conv2DTranspose Convolution2DTranspose": "`transposed_conv`",
    "ConvLSTM1D ConvLSTM2D": NONE,
    "CutMix MixUp RandAugment RandomBrightness RandomCrop RandomErasing RandomFlip RandomRotation RandomZoom": AUGMENT,
    "Dense": "`dense`",
    "DepthwiseConv1D DepthwiseConv2D": "`depthwise_conv`",
    "Discretization Dot EinsumDense Embedding Equalization FlaxLayer": NONE,
    "Dropout": "`dropout`",
    "ELU": "`elu`",
    "Flatten": "`flatten`",
    "GRU GRUCell GaussianDropout GaussianNoise": NONE,
    "GlobalAveragePooling1D GlobalAveragePooling2D GlobalAvgPool2D": "`global_avg_pool`",
    "GlobalAveragePooling3D GlobalMaxPooling3D SpatialDropout3D": VOLUME,
    "GlobalMaxPooling1D GlobalMaxPooling2D GlobalMaxPool2D": "`global_max_pool`",
    "GroupNormalization": "`group_norm`",
    "GroupQueryAttention HashedCrossing Hashing IntegerLookup JaxLayer LSTM LSTMCell Layer": NONE,
    "Identity": "`identity`",
    "Input InputLayer": "section `input`",
    "Lambda": "--plugin",
    "LayerNormalization": "`layer_norm`",
    "LeakyReLU": "`leaky_relu`",
    "Masking MaxNumBoundingBoxes MelSpectrogram Minimum Pipeline": NONE,
    "MaxPooling1D MaxPooling2D MaxPool2D": "`max_pool`",
    "Maximum": "`maximum`",
    "MultiHeadAttention": "`self_attention`",
    "Multiply": "`multiply`",
    "Normalization Rescaling": "`mean` and `std`",
    "PReLU": "`prelu`",
    "Permute": "always",
    "RMSNormalization RNN RepeatVector": NONE,
    "ReLU": "`relu`",
    "Reshape": "`reshape`",
    "Resizing UpSampling1D UpSampling2D": "`resize`",
    "STFTSpectrogram SimpleRNN SimpleRNNCell Solarization SpectralNormalization StackedRNNCells StringLookup": NONE,
    "SeparableConv1D SeparableConv2D SeparableConvolution2D": "`separable_conv`",
    "Softmax": "`softmax`",
    "SpatialDropout1D SpatialDropout2D": "`spatial_dropout`",
    "Subtract": "`subtract`",
    "TFSMLayer TextVectorization TorchModuleWrapper Wrapper": NONE,
    "TimeDistributed": "kernel: 1",
    "UnitNormalization": "`l2_normalise`",
    "ZeroPadding1D ZeroPadding2D": "`pad`",
}
TORCH = {
    "AdaptiveAvgPool1d AdaptiveAvgPool2d": "`adaptive_avg_pool`",
    "AdaptiveAvgPool3d AdaptiveMaxPool3d AvgPool3d BatchNorm3d CircularPad3d ConstantPad3d Conv3d": VOLUME,
    "LazyBatchNorm3d LazyConvTranspose3d LazyInstanceNorm3d MaxUnpool3d ReflectionPad3d ReplicationPad3d": VOLUME,
    "ConvTranspose3d FractionalMaxPool3d InstanceNorm3d LPPool3d LazyConv3d MaxPool3d ZeroPad3d": VOLUME,
    "AdaptiveLogSoftmaxWithLoss": "`loss: ",
    "AdaptiveMaxPool1d AdaptiveMaxPool2d": "`adaptive_max_pool`",
    "AlphaDropout Bilinear CELU CosineSimilarity DataParallel Embedding EmbeddingBag FeatureAlphaDropout Fold": NONE,
    "AvgPool1d AvgPool2d": "`avg_pool`",
    "BCELoss BCEWithLogitsLoss": "`loss: binary_cross_entropy`",
    "BatchNorm1d BatchNorm2d LazyBatchNorm1d LazyBatchNorm2d SyncBatchNorm": "`batch_norm`",
    "CTCLoss CosineEmbeddingLoss GaussianNLLLoss KLDivLoss MarginRankingLoss": "`loss: ",
    "LinearCrossEntropyLoss MultiLabelSoftMarginLoss TripletMarginWithDistanceLoss": "`loss: ",
    "HingeEmbeddingLoss MultiLabelMarginLoss PoissonNLLLoss SoftMarginLoss TripletMarginLoss": "`loss: ",
    "ChannelShuffle": "`channel_shuffle`",
    "CircularPad1d CircularPad2d": "none goes round",
    "ConstantPad1d ConstantPad2d ReflectionPad1d ReflectionPad2d ZeroPad1d ZeroPad2d": "`pad`",
    "ReplicationPad1d ReplicationPad2d": "`pad`",
    "Conv1d Conv2d LazyConv1d LazyConv2d": "`conv`",
    "ConvTranspose1d ConvTranspose2d LazyConvTranspose1d LazyConvTranspose2d": "`transposed_conv`",
    "CrossEntropyLoss NLLLoss NLLLoss2d": "`loss: cross_entropy`",
    "CrossMapLRN2d LocalResponseNorm": "`lrn`",
    "Dropout": "`dropout`",
    "Dropout1d Dropout2d Dropout3d": "`spatial_dropout`",
    "ELU": "`elu`",
    "Flatten": "`flatten`",
    "FractionalMaxPool2d LPPool1d LPPool2d GLU GRU GRUCell Hardshrink Hardtanh LSTM LSTMCell LogSigmoid": NONE,
    "GELU": "`gelu`",
    "GroupNorm": "`group_norm`",
    "Hardsigmoid": "`hard_sigmoid`",
    "Hardswish": "`hard_swish`",
    "HuberLoss SmoothL1Loss": "`loss: huber`",
    "Identity": "`identity`",
    "InstanceNorm1d InstanceNorm2d LazyInstanceNorm1d LazyInstanceNorm2d": "`instance_norm`",
    "L1Loss": "`loss: l1`",
    "LayerNorm": "`layer_norm`",
    "LeakyReLU": "`leaky_relu`",
    "LazyLinear Linear": "`dense`",
    "LogSoftmax": "`log_softmax`",
    "MSELoss": "`loss: mse`",
    "MaxPool1d MaxPool2d": "`max_pool`",
    "MaxUnpool1d MaxUnpool2d": "`max_unpool`",
    "Mish": "`mish`",
    "ModuleDict ModuleList Sequential": "a list of layers is a chain",
    "Container Module PairwiseDistance ParameterDict ParameterList RMSNorm RReLU SELU": NONE,
    "RNN RNNBase RNNCell RNNCellBase": NONE,
    "MultiMarginLoss": "`loss: hinge`",
    "MultiheadAttention": "`self_attention`",
    "PReLU": "`prelu`",
    "PixelShuffle": "`depth_to_space`",
    "PixelUnshuffle": "`space_to_depth`",
    "ReLU": "`relu`",
    "ReLU6": "`relu6`",
    "SiLU": "`silu`",
    "Sigmoid": "`sigmoid`",
    "Softmax Softmax2d": "`softmax`",
    "Softmin Softshrink Softsign Tanhshrink Threshold Transformer TransformerDecoder TransformerEncoder": NONE,
    "TransformerDecoderLayer TransformerEncoderLayer Unfold": NONE,
    "Softplus": "`softplus`",
    "Tanh": "`tanh`",
    "Unflatten": "`reshape`",
    "Upsample UpsamplingBilinear2d UpsamplingNearest2d": "`resize`",
    "DropPath": "`stochastic_depth`",
}
"""Layers of Keras 3 and torch.nn, and a word of where each leads; nothing where there is no counterpart."""


@pytest.mark.parametrize(("table", "prefix"), [(KERAS, "layers."), (TORCH, "nn.")])
def test_where_the_layers_of_other_libraries_lead(table: dict[str, str], prefix: str) -> None:
    known = [*kind_names("layers"), *STRUCTURE]
    found = {name: (kind_hint(prefix + name, known), word) for names, word in table.items() for name in names.split()}
    wrong = {name: hint for name, (hint, word) in found.items() if (word not in (hint or "") if word else hint)}
    assert not wrong


@pytest.mark.parametrize(
    "word", ["swiglu", "glu", "selu", "onehot", "sppf", "norm", "rms_norm", "transpose2x", "min", "wat"]
)
def test_a_layer_that_there_is_not_is_no_stranger(write: Write, word: str) -> None:
    (item,) = open_spec(str(write(INPUT + f"layers: [{word}]"))).diagnostics
    assert not any("did you mean" in way for way in item.help)
    assert any("--plugin my_layers.py" in way for way in item.help)


@pytest.mark.parametrize(
    ("family", "words", "meant"),
    [
        ("losses", "nn.BCEWithLogitsLoss BinaryCrossentropy bce", "binary_cross_entropy"),
        ("losses", "nn.CrossEntropyLoss SparseCategoricalCrossentropy", "cross_entropy"),
        ("losses", "nn.MSELoss MeanSquaredError", "mse"),
        ("losses", "nn.L1Loss MeanAbsoluteError", "l1"),
        ("losses", "nn.SmoothL1Loss Huber", "huber"),
        ("losses", "nn.MultiMarginLoss SquaredHinge", "hinge"),
        ("losses", "FocalLoss BinaryFocalCrossentropy", "focal"),
        ("metrics", "acc accuracy_score BinaryAccuracy", "accuracy"),
        ("metrics", "MeanAbsoluteError mean_absolute_error", "mae"),
        ("metrics", "MeanSquaredError RootMeanSquaredError root_mean_squared_error", "rmse"),
        ("metrics", "r2_score R2Score", "r2"),
        ("metrics", "F1Score f1 f1_score MultilabelF1Score", "macro_f1"),
        ("metrics", "top5 top_5 TopKCategoricalAccuracy", "top_k"),
        ("metrics", "JaccardIndex MeanIoU iou mIoU jaccard_score", "mean_iou"),
        ("tasks", "binary multilabel", "multi_label"),
        ("tasks", "multiclass classify", "classification"),
        ("tasks", "semantic_segmentation", "segmentation"),
        ("tasks", "autoencoder", "reconstruction"),
        ("metrics", "map AveragePrecision", "mean_average_precision"),
    ],
)
def test_losses_metrics_and_tasks_of_other_libraries(family: str, words: str, meant: str) -> None:
    assert {kind_hint(word, kind_names(family)) for word in words.split()} == {f"did you mean `{meant}`?"}


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("rleu", "relu"),
        ("desne", "dense"),
        ("konv", "conv"),
        ("drop", "dropout"),
        ("flaten", "flatten"),
        ("attention", "self_attention"),
    ],
)
def test_slips_are_understood(word: str, meant: str) -> None:
    assert kind_hint(word, [*kind_names("layers"), *STRUCTURE]) == f"did you mean `{meant}`?"


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ("train: {dataset: data/wine.csv}", "write `{table: data/wine.csv}`"),
        ("train: {dataset: a.NPZ}", "write `{npz: a.NPZ}`"),
        ("train: {dataset: {table: a.csv, targets: y}}", "within their kind: `{table: {path: a.csv, targets: y}}`"),
        ("train: {optimiser: {sgd: 0.1, momentum: 0.9}}", "`{sgd: {learning_rate: 0.1, momentum: 0.9}}`"),
        ("train: {optimiser: {sgd: 0.1, wrong: 0.9}}", "write {kind: {field: value}}"),
        ("train: {task: regression}", "`task` is a section of its own, beside `train`"),
        ("outputs: [a, b]", "write `outputs: {a: a, b: b}`"),
    ],
)
def test_where_sections_are_written_another_way(write: Write, section: str, words: str) -> None:
    found = open_spec(str(write(f"{INPUT}layers: [relu: {{name: a}}, relu: {{name: b}}]\n{section}"))).diagnostics
    (item,) = (item for item in found if item.severity == "error")
    assert any(words in help for help in item.help), item.help


def test_an_input_may_be_written_as_on_the_command_line(write: Write) -> None:
    (item, *_) = open_spec(str(write("input: 28x32x3\nlayers: [relu]"))).diagnostics
    assert item.help == ("write `input: {height: 28, width: 32, channels: 3}`",)
