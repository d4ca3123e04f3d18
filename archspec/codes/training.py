"""E50 to E52: data and training."""

from __future__ import annotations

from archspec.codes._code import Code

CODES = (
    Code(
        "E501",
        "task, classes or output sizes of the network are not those of the dataset",
        "The last layer gives one number for each class, or for each class at each pixel.",
        "Set the number of units or filters as the message says, or choose another dataset.",
        commands=("archspec train digits.yaml --set layers.4.dense=5 --workdir runs/five",),
    ),
    Code(
        "E502",
        "pixels outside the input's range",
        "`input.range` says what black and white are; everything after it relies on that.",
        "The range that the data has is suggested.",
        commands=(
            "python -c \"import numpy; numpy.savez('d.npz', x=numpy.ones((10, 28, 28), 'float32') * 255, "
            'y=numpy.arange(10))"',
            "archspec train digits.yaml --set train.dataset.npz=d.npz --workdir runs/d",
        ),
    ),
    Code(
        "E503",
        "images of another size or with other channels than the input",
        "Nothing is scaled unless the spec says so.",
        "Set `input.fit`, give `--input HxW`, or set `input.channels`.",
        commands=("archspec train digits.yaml --input 32x32 --workdir runs/large",),
    ),
    Code(
        "E504",
        "the spec does not say how to train, or its task is another one",
        "Training needs a `train:` section with a dataset.",
        "`train: {dataset: {npz: FILE}, epochs: 10}`",
        commands=(
            "printf 'archspec: 1\\nname: net\\ninput: {features: 3}\\nlayers: [dense: 2]\\n' > net.yaml",
            "archspec train net.yaml",
        ),
    ),
    Code(
        "E505",
        "a dataset's files cannot be found",
        "The path, a split's folder, a mask beside an image or a file that a list names is not there.",
        "Relative paths start from the file they are written in, those of `--set` from the current folder.",
        commands=("archspec train digits.yaml --set train.dataset.image_folder=photos --workdir runs/photos",),
    ),
    Code(
        "E506",
        "a dataset's file is damaged or of another format",
        "It ends early, has another magic number, or cannot be decoded.",
        "Copy or make the file anew.",
        commands=(
            "echo 'no archive' > d.npz",
            "archspec train digits.yaml --set train.dataset.npz=d.npz --workdir runs/d",
        ),
    ),
    Code(
        "E507",
        "arrays, or images and masks, that are no dataset",
        "Lengths differ, labels are negative or too large, or a mask's pixels are not the numbers of classes.",
        "The message says what a dataset of this kind has.",
        commands=(
            "python -c \"import numpy; numpy.savez('d.npz', x=numpy.zeros((10, 28, 28), 'uint8'), y=numpy.arange(9))\"",
            "archspec train digits.yaml --set train.dataset.npz=d.npz --workdir runs/d",
        ),
    ),
    Code(
        "E508",
        "an input or a target that the dataset does not have",
        "A spec with several inputs is given the dataset's arrays of the same names, and an output finds the target of "
        "its own name; of one input or one target the name does not matter.",
        "Take the names that the message lists.",
        commands=("archspec train digits.yaml --set train.dataset=digit_pairs --workdir runs/pairs",),
    ),
    Code(
        "E509",
        "`best`, `early_stopping` or `plateau` go by a figure that evaluations do not measure",
        "They measure the loss, what the task has, and what `metrics` adds; figures of other outputs are called "
        "`OUTPUT.FIGURE`.",
        "Take one of the figures that the message lists, or add it to `metrics`.",
        commands=("archspec train digits.yaml --set train.best=top9 --workdir runs/best",),
    ),
    Code(
        "E510",
        "the run folder holds a run of other settings",
        "Going on with it would mix two trainings. What changes no step may change: more `epochs`, `evaluate_every`, "
        "`early_stopping`, `best`, `keep`, `save_minutes`, and how data are read and figures are shown.",
        "Choose another `--workdir`, or `--workdir auto`; `init_from` begins with that run's weights; `--overwrite` "
        "deletes it.",
        commands=("archspec train digits.yaml --set train.batch_size=32 --workdir runs/digits",),
    ),
    Code(
        "E511",
        "a folder that holds what no run or import made, or the one that `init_from` reads",
        "Nothing is deleted that archspec did not make, and no link is followed: a marker in the folder says so.",
        "Choose an empty or a new folder.",
        commands=(
            "mkdir -p runs/mine && echo 'dear diary' > runs/mine/letter.txt",
            "archspec train digits.yaml --workdir runs/mine",
        ),
    ),
    Code(
        "E512",
        "the folder holds no run",
        "A run has the spec that it was made of.",
        "Give the folder that `archspec train` printed.",
        commands=("archspec eval runs/nothing",),
    ),
    Code(
        "E513",
        "what a run or an import wrote is missing, damaged or of another network",
        "Arrays have digests that are compared. Of a run's checkpoints the last one that is as it was saved is taken.",
        "`--overwrite` trains anew; an import is made again by the same command.",
        commands=(
            "rm -r runs/digits/checkpoints",
            "archspec eval runs/digits",
        ),
    ),
    Code(
        "E514",
        "the run folder cannot be written, or was moved or deleted",
        "The system says why: no space, no rights, or the folder is gone.",
        "Free space, or choose another `--workdir`; the same command goes on after the last checkpoint.",
        commands=(
            "echo 'a file' > place",
            "archspec train digits.yaml --workdir place/digits",
        ),
    ),
    Code(
        "E515",
        "`freeze`, `exclude`, `rates`, `decays` or `remat` names nothing, or layers that use the arrays of others",
        "A pattern that names no layer with weights, or of `remat` no block, is nearly always misspelt. Shared arrays "
        "go by the layer that has them.",
        "`archspec report` lists the paths of layers, with `--depth 1` those of the outermost blocks.",
        commands=("archspec train digits.yaml --set 'train.rates={c9: 0.1}' --workdir runs/rates",),
    ),
    Code(
        "E516",
        "`freeze` leaves nothing to train",
        "Every layer with weights is frozen.",
        "Name fewer layers.",
        commands=(
            "archspec train digits.yaml --set 'train.init_from={path: runs/digits, freeze: [\"*\"]}' --workdir "
            "runs/frozen",
        ),
    ),
    Code(
        "E517",
        "another process writes the folder",
        "Two at once would mix their files. The lock ends with its process, however that ends.",
        "Wait until it has ended, or choose another folder.",
        commands=(
            "archspec train digits.yaml &",
            "archspec train digits.yaml",
        ),
    ),
    Code(
        "E518",
        "the data are not those with which the run began",
        "Going on would mix two trainings. run.json has a digest of all samples.",
        "Put the data back, or begin another run with `init_from`.",
        commands=(
            "archspec train net.yaml         # stopped by Ctrl-C, and then its images are changed",
            "archspec train net.yaml",
        ),
    ),
    Code(
        "E519",
        "fewer samples than parts of a batch",
        "`micro_batches` parts each batch evenly, and a batch has no more samples than there are to train on.",
        "Set `micro_batches` to a smaller number, or leave it out.",
        commands=(
            "archspec train digits.yaml --set train.micro_batches=5000 --set train.batch_size=5000 --workdir "
            "runs/parts",
        ),
    ),
    Code(
        "E520",
        "the loss, in training or held out, or what a step leaves behind is not finite",
        "The learning rate is too high, or the data holds values that the network cannot bear. The failing step is "
        "done again, augmentation and dropout included, to say which layer's output broke first. A checkpoint is saved "
        "only when all in it is finite and the held-out loss is.",
        "Lower the learning rate, or warm it up; with the same settings the run would break again at the same step.",
        commands=("archspec train digits.yaml --set train.optimiser.sgd.learning_rate=1e20 --workdir runs/fast",),
    ),
    Code(
        "E521",
        "an image or a file of numbers cannot be read or is not what the network takes, or two would have one mask",
        "It is damaged, its pixels do not say what white is, or its arrays have other shapes than the inputs.",
        "Save images as PNG or JPEG; numbers as .npy, a sample or several with the number first.",
        commands=(
            "echo 'no picture' > eight.png",
            "archspec predict runs/digits eight.png",
        ),
    ),
    Code(
        "E522",
        "JAX or its compiler fails on the device",
        "A driver, a device that was lost, or an operation that the backend does not have. JAX's own words are shown.",
        "`archspec doctor` shows the devices; `JAX_PLATFORMS=cpu` runs without them.",
        commands=(
            "JAX_PLATFORMS=cuda archspec train digits.yaml --workdir runs/gpu      # where there is no such device",
        ),
    ),
    Code(
        "E523",
        "a process that reads the data was ended",
        "The system ends processes where memory runs out, and where /dev/shm, through which batches come, is "
        "full, as it easily is in a container; or somebody ended it.",
        "The same command goes on from the last checkpoint; fewer `train.workers` need less, and 0 reads in threads.",
        commands=(
            "archspec train net.yaml --set train.workers=4 &",
            "kill -9 $(pgrep -f _worker_start | head -n 1)",
        ),
    ),
    Code(
        "E524",
        "`remat: auto` finds no blocks with which a training step fits",
        "Even where the blocks are computed anew with which it needs least, it needs more than `memory`, or than what "
        "is free: the weights with the optimiser's state, the largest block, or layers in no block take too much.",
        "A smaller `batch_size`, more `micro_batches`, or a larger `memory`.",
        commands=("archspec train digits.yaml --set train.remat=auto --set train.memory=64KiB --workdir runs/small",),
    ),
    Code(
        "E525",
        "the devices of `mesh` are not those that are there, or cannot divide the network or the batch",
        "A mesh is a product of devices along its axes: of samples (data, fsdp), parameters (fsdp) and rows (spatial). "
        "Several processes use all devices that they have together.",
        "`--mesh data=auto`, or the devices that there are; `archspec plan` says what each mesh costs.",
        commands=("archspec train digits.yaml --mesh data=64 --workdir runs/mesh",),
    ),
    Code(
        "E529",
        "a package that `train.log` needs is not installed",
        "Writers for other tools need the packages of these; archspec itself needs none of them.",
        "Install what the message names, or leave the writer out of `log`.",
        commands=("archspec train digits.yaml --set train.log=mlflow --workdir runs/logged      # without mlflow",),
    ),
)
