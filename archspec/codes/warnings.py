"""W: warnings."""

from __future__ import annotations

from archspec.codes._code import Code

CODES = (
    Code(
        "W201",
        "an argument that nothing reads",
        "Changing it would change nothing.",
        "Remove it, or read it with `$(name)`.",
        "args: {unused: 1}\nlayers: [relu]",
    ),
    Code(
        "W301",
        "rows or columns of the input that no window reads",
        "The stride leaves them over at the bottom or right.",
        "Pad, take `rounding: ceil`, or take an input of another size, if they matter; `rounding: floor`, written, "
        "says that they do not.",
        "input: {height: 9, width: 8, channels: 3}\nlayers: [max_pool: 2]",
    ),
    Code(
        "W302",
        "a layer whose output nobody uses",
        "It is left out of the network.",
        "Take it with `from:`, name it in `outputs:`, or remove it.",
        "layers: [relu: {name: lost}, tanh: {from: input}]",
    ),
    Code(
        "W303",
        "published figures that the network misses",
        "The spec's `published:` section says how many parameters or multiply–adds the source counts.",
        "Correct the network or the figure.",
        "layers: [relu]\npublished: {params: 61706, source: a book}",
    ),
    Code(
        "W304",
        "values bounded by softmax, sigmoid and the like, to which the loss applies softmax itself",
        "cross_entropy takes logits. Of values between 0 and 1 its softmax is nearly even, so that the loss stays "
        "high: for ten classes it cannot fall below log(1 + 9/e) = 1.461.",
        "Leave the layer out; `predict` gives probabilities all the same.",
        "layers: [global_avg_pool, softmax]\ntrain: {}",
    ),
    Code(
        "W305",
        "batch normalisation over one value per channel",
        "With one sample a step and a map of 1×1 the value is its own mean, so it becomes 0 and nothing before it "
        "trains.",
        "Take a larger `batch_size`, or normalise before the pooling.",
        "layers: [global_avg_pool, batch_norm]\ntrain: {batch_size: 1}",
    ),
    Code(
        "W306",
        "an input that nothing uses",
        "Data must have it, and nothing of what the network gives depends on it.",
        "Take it with `from:`, or remove it from `inputs`.",
        "inputs: {a: {features: 3}, b: {features: 3}}\nlayers: [relu: {from: a}]",
    ),
    Code(
        "W307",
        "a network that cannot be trained as its recipe says",
        "An output has not the shape that the task needs, or loss, metrics and task take other targets. `train` "
        "refuses it; everything else works.",
        "Do as the message says: another task, loss or end of the network; `task: {segmentation: {crop: center}}` "
        "where a map is smaller than the input.",
        "layers: [conv: {filters: 2, kernel: 3}]\ntrain: {}",
    ),
    Code(
        "W308",
        "a part of the recipe that nothing uses",
        "Every output says its own loss or metrics in `outputs`, or `augment` is there and no input is an "
        "image, or mixes the samples of batches of one.",
        "Remove what is not used.",
        "layers: [flatten, dense: 2]\noutputs: {a: {from: dense1, loss: hinge}}\ntrain: {loss: focal}",
    ),
    Code(
        "W309",
        "an output that sees nothing but what another output gives",
        "A chain goes on behind the last layer of an output, so that the next head has to do with a few numbers, the "
        "first one's answer.",
        "Say where the second head begins: `from: NAME` of the layer that the first begins with. A `from` that names "
        "the first one's last layer says that it is meant.",
        "layers: [flatten, dense: {name: a, units: 3}, dense: {name: b, units: 2}]\noutputs: {a: a, b: b}",
    ),
    Code(
        "W401",
        "a batch that does not fit into a device's memory",
        "The prediction of `archspec roofline` or `archspec plan` is for a device that could not hold it.",
        "The largest batch that fits is named.",
        commands=("archspec roofline resnet152 --device a100 --mode train --batch 100000",),
    ),
)
