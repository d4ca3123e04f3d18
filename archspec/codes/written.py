"""E53 to E56: weights, files that are written, drawings."""

from __future__ import annotations

from archspec.codes._code import Code

CODES = (
    Code(
        "E531",
        "a file of tensors cannot be found or read",
        "The path leads nowhere, or to a folder.",
        "Correct the path.",
        commands=("archspec weights import digits.yaml nowhere.safetensors -o runs/w",),
    ),
    Code(
        "E532",
        "a file that holds no tensors by name, or is damaged",
        "It is cut short, of another format, or a checkpoint without tensors; what lies at its top is listed.",
        "Save a `state_dict`, best as safetensors.",
        commands=(
            "echo 'no tensors' > w.safetensors",
            "archspec weights import digits.yaml w.safetensors -o runs/w",
        ),
    ),
    Code(
        "E534",
        "a file or folder cannot be written, or masks would lie among images",
        "The system says why. A file that was there is as it was: files are replaced as a whole or not at all.",
        "Make the folder, free space, or choose another place.",
        commands=(
            "echo 'a file' > place",
            "archspec draw lenet5 -o place/lenet5.svg",
        ),
    ),
    Code(
        "E535",
        "names of tensors that the network does not have, or that two of its arrays would have",
        "`--names` says whose names the tensors have: a set of the spec's `weights:`, `pytorch` or `archspec`. One "
        "tensor cannot be two arrays.",
        "The sets that there are are listed, or the two arrays are named.",
        commands=("archspec weights export runs/digits w.safetensors --names keras_applications",),
    ),
    Code(
        "E536",
        "a file whose tensors the network does not know at all",
        "They are most likely another network's.",
        "Names from the file and from the network are shown side by side.",
        commands=(
            "archspec weights export runs/digits w.safetensors",
            "archspec weights import squeezenet1_1 w.safetensors -o runs/w",
        ),
    ),
    Code(
        "E537",
        "a file of tensors that is no full match",
        "Tensors are missing, unexpected or of another shape, and a network that is half random would look right.",
        "`--partial` takes what matches and draws the rest at random.",
        commands=(
            "archspec weights export runs/digits w.safetensors",
            "archspec weights import digits.yaml w.safetensors --set layers.4.dense=26 -o runs/w",
        ),
    ),
    Code(
        "E538",
        "an array that has no place in PyTorch's layout",
        "PyTorch has no such layer.",
        "`--names archspec` writes it as it is.",
        commands=(
            "archspec weights export runs/net w.safetensors --names pytorch      # of two flattened maps of other "
            "shapes, added",
        ),
    ),
    Code(
        "E539",
        "tensors that hold NaN or infinity, or negative variances",
        "Everything computed with them would be NaN or infinite too.",
        "Take a checkpoint from before the training broke, or copy the file again.",
        commands=(
            "archspec weights export runs/digits w.safetensors",
            "python -c \"from safetensors.numpy import *; w = load_file('w.safetensors'); w['conv1.bias'] *= "
            "float('nan'); save_file(w, 'w.safetensors')\"",
            "archspec weights import digits.yaml w.safetensors -o runs/w",
        ),
    ),
    Code(
        "E540",
        "tensors that are not made of real numbers",
        "Complex, sparse and quantised tensors, and whole numbers, stand for other numbers than they hold.",
        "Save them as floats: `tensor.to_dense()`, `tensor.dequantize()`, `tensor.float()`.",
        commands=(
            "archspec weights export runs/digits w.safetensors",
            "python -c \"from safetensors.numpy import *; w = load_file('w.safetensors'); w['conv1.bias'] = "
            "w['conv1.bias'].astype(int); save_file(w, 'w.safetensors')\"",
            "archspec weights import digits.yaml w.safetensors -o runs/w",
        ),
    ),
    Code(
        "E541",
        "a file that has the network's tensors in several places",
        "A student and its teacher, or weights and their moving averages: which are meant cannot be told.",
        "`--prefix teacher` takes those whose names begin so.",
        commands=(
            "archspec weights export runs/digits w.safetensors",
            "python -c \"from safetensors.numpy import *; w = load_file('w.safetensors'); save_file({f'{who}.{k}': v "
            "for k, v in w.items() for who in ('student', 'teacher')}, 'w.safetensors')\"",
            "archspec weights import digits.yaml w.safetensors -o runs/w",
        ),
    ),
    Code(
        "E542",
        "a mean image that cannot be used",
        "`mean_image` of an input names an `.npy` file or a `.binaryproto` of Caffe's. It has the input's channels and "
        "at least its height and width, of which the middle is taken.",
        "Correct the path, or give the mean colour alone: `mean`.",
        "input: {height: 8, width: 8, channels: 3, mean_image: nowhere.npy}\nlayers: [relu]",
    ),
    Code(
        "E550",
        "a network with layers that the target of an export does not have",
        "The file would compute something else, so nothing is written. All such layers are named at once, by kind and "
        "reason.",
        "Choose another target, or other layers; docs/export.md has the table of kinds and targets.",
        commands=(
            "printf 'from archspec.layers.relu import Relu\\n\\nclass Odd(Relu):\\n    pass\\n' > odd.py",
            "printf 'archspec: 1\\nname: net\\ninput: {features: 3}\\nlayers: [odd]\\n' > net.yaml",
            "archspec export net.yaml --to onnx -o net.onnx --plugin odd.py",
        ),
    ),
    Code(
        "E551",
        "a network that is too large for the format that it is exported to",
        "An ONNX file is one message of protobuf, which holds 2 GiB at most; StableHLO and TFLite are "
        "FlatBuffers, whose offsets reach less than 2 GiB.",
        "Choose a smaller network, or another target.",
        commands=(
            "printf 'archspec: 1\\nname: net\\ninput: {features: 30000}\\nlayers: [dense: 30000]\\n' > net.yaml",
            "archspec export net.yaml --to onnx -o net.onnx",
        ),
    ),
    Code(
        "E552",
        "a file that an export must not write",
        "It has the suffix of another format, the name of a module that exported source imports, or is one of a run's "
        "own or what the network was read from.",
        "Choose another file.",
        commands=("archspec export runs/digits --to onnx -o digits.tflite",),
    ),
    Code(
        "E555",
        "no converter to TFLite",
        "LiteRT's converter is a package of its own, whose requirements do not go together with archspec's. It is "
        "run by the Python of its own environment.",
        "The message has the commands that make such an environment; `--litert` names its Python.",
        commands=("archspec export runs/digits --to tflite -o digits.tflite --litert no/python",),
    ),
    Code(
        "E556",
        "a network that the converter to TFLite fails at, or converts wrongly",
        "The converter ended with the error that is shown, or its interpreter gives other numbers for the same samples "
        "than the network does. Nothing is written.",
        "Try another version of the converter, or another target.",
        commands=("archspec export runs/digits --to tflite -o digits.tflite      # with a converter that fails",),
    ),
    Code(
        "E557",
        "no samples for int8",
        "The ranges of integers are chosen by what training samples of the run's own data give.",
        "Export the folder of a run, or leave out `--int8`.",
        commands=("archspec export digits.yaml --to tflite --int8 -o digits.tflite",),
    ),
    Code(
        "E561",
        "a network that cannot be drawn as asked",
        "A look lacks the option, or the picture would be larger than can be drawn.",
        "The message says which options go together.",
        commands=("archspec draw lenet5 --look paper --direction right",),
    ),
)
