"""The `train:` section."""

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from archspec.augmentations import Augmentation
from archspec.data import Dataset
from archspec.data.mnist5k import Mnist5k
from archspec.fields import (
    Count,
    FilePath,
    Flag,
    NonNegativeInt,
    NonNegativeNumber,
    PositiveInt,
    PositiveNumber,
    Probability,
    Text,
)
from archspec.kinds import kind_of, kinds_of
from archspec.losses import Loss
from archspec.mesh import Mesh, read_mesh
from archspec.metrics import Metric
from archspec.optimisers import Optimiser, default_optimiser
from archspec.passes import DEFAULT, PassName
from archspec.schedules import Schedule
from archspec.schedules.constant import Constant
from archspec.spec.network import Section
from archspec.writers import Writer


class InitFrom(Section):
    """Where training begins instead of at weights drawn at random: transfer learning."""

    path: Annotated[
        FilePath,
        Field(
            description="folder of a run or of imported weights, or a file of tensors; relative to the spec's folder"
        ),
    ]
    prefix: Annotated[
        Text | None,
        Field(description="what the names of a file's tensors begin with, where it has several of each: teacher"),
    ] = None
    exclude: Annotated[
        tuple[Text, ...],
        Field(description="layers that begin anew, and tensors that are left out: paths, scopes, or patterns with *"),
    ] = ()
    freeze: Annotated[
        tuple[Text, ...],
        Field(description="layers that stay as they are, statistics too, unless excluded: paths, scopes, patterns"),
    ] = ()
    freeze_epochs: Annotated[
        PositiveInt | None, Field(description="epochs after which everything is trained; all of them if left out")
    ] = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.freeze_epochs is not None and not self.freeze:
            raise ValueError("`freeze_epochs` goes with `freeze`")
        return self


Precision = Literal["float32", "bfloat16", "float16"]
Remat = tuple[Text, ...] | Literal["all", "auto"]


class Ema(Section):
    """A moving average of the weights, which is evaluated, and is what a run ends with."""

    decay: Annotated[
        Probability, Field(description="share of the average that a step keeps; of statistics too, as timm has it")
    ] = 0.999
    warmup: Annotated[
        Flag, Field(description="after step t no more than (1 + t)/(10 + t) is kept, as TensorFlow has it")
    ] = False


class MeshSection(Section):
    """The devices that a step is divided over."""

    data: Annotated[
        PositiveInt | Literal["auto"],
        Field(description="devices that divide the samples of a batch; auto: all that the other axes leave"),
    ] = 1
    fsdp: Annotated[
        PositiveInt,
        Field(description="devices that divide samples, and parameters with their optimiser state too (fully sharded)"),
    ] = 1
    spatial: Annotated[PositiveInt, Field(description="devices that divide the rows of large maps")] = 1
    per_device: Annotated[
        Flag, Field(description="batch normalisation by what a device has of the batch, in place of the whole batch")
    ] = False
    shard: Annotated[
        dict[Text, Text],
        Field(
            description="which axis of arrays `fsdp` divides, by path pattern: a letter of HWIO, of a dense layer CO, "
            "…, or none; the largest that it divides if left out. The last that fits counts"
        ),
    ] = {}

    @property
    def mesh(self) -> Mesh:
        """The mesh, once `data` is a number."""
        assert self.data != "auto"
        return Mesh(self.data, self.fsdp, self.spatial, self.per_device)


class Clip(Section):
    """A bound on gradients, which are scaled or cut down to it before everything else."""

    norm: Annotated[
        PositiveNumber | None, Field(description="of all gradients' norm together (Pascanu et al. 2013)")
    ] = None
    value: Annotated[PositiveNumber | None, Field(description="of every number of the gradients")] = None
    adaptive: Annotated[
        PositiveNumber | None,
        Field(description="of each unit's gradient, times its weights' norm (Brock et al. 2021)"),
    ] = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if sum(bound is not None for bound in (self.norm, self.value, self.adaptive)) != 1:
            raise ValueError("give one of `norm`, `value` and `adaptive`")
        return self


def _read_clip(value: Any) -> Any:
    return {"norm": value} if isinstance(value, float | int) and not isinstance(value, bool) else value


def _read_mesh(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return read_mesh(value)
    except ValueError as error:
        raise PydanticCustomError("mesh", "is no mesh: {reason}", {"reason": str(error)}) from None


def _read_ema(value: Any) -> Any:
    return {"decay": value} if isinstance(value, float | int) and not isinstance(value, bool) else value


def _read_remat(value: Any) -> Any:
    return (value,) if isinstance(value, str) and value not in ("all", "auto") else value


def _read_memory(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    from archspec.figures.units import read_bytes

    try:
        return read_bytes(value)
    except ValueError:
        raise PydanticCustomError("memory", "must be a size with its unit, such as 16GiB, 512MiB or 80GB") from None


def _read_passes(value: Any) -> Any:
    return () if value == "none" else (value,) if isinstance(value, str) else value


class Every(Section):
    """How often something is done: every so many steps, or epochs."""

    steps: Annotated[PositiveInt | None, Field(description="every so many steps, also within an epoch")] = None
    epochs: Annotated[PositiveInt | None, Field(description="at the end of every so many epochs")] = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.steps is None) == (self.epochs is None):
            raise ValueError("give either `steps` or `epochs`")
        return self


class EarlyStopping(Section):
    """When training ends before its last epoch."""

    patience: Annotated[PositiveInt, Field(description="so many evaluations in a row without improvement end it")]
    metric: Annotated[
        Text, Field(description="the figure that is to improve: loss, or any that is measured in evaluation")
    ] = "loss"
    min_delta: Annotated[NonNegativeNumber, Field(description="the difference by which it must improve to count")] = 0.0


def _read_steps(value: Any) -> Any:
    return {"steps": value} if type(value) is int else value


def _read_patience(value: Any) -> Any:
    return {"patience": value} if type(value) is int else value


def _read_export(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


def _read_init(value: Any) -> Any:
    return {"path": value} if isinstance(value, str) else value


def _read_validation(value: Any) -> Any:
    share = isinstance(value, float) and 0 < value < 1
    if value is None or share or (isinstance(value, str) and value):
        return value
    raise PydanticCustomError("validation", "must be a share between 0 and 1, or the name of a folder, list or part")


class Train(Section):
    """How a network is trained."""

    source: Annotated[
        Text | None,
        Field(description="where the recipe is from, or was before it was changed here: the paper, or who trained so"),
    ] = None
    dataset: Annotated[Dataset, *kind_of("data"), Field(description="what it is trained on")] = Mnist5k.plain_default()
    validation: Annotated[
        Annotated[float, Field(gt=0, lt=1)] | Text | None,
        BeforeValidator(_read_validation),
        Field(
            description="share of the training part, chosen by `seed`, that is measured after every epoch, or the name "
            "of the data's folder, list or part for it; the data's held-out part is then measured at the end alone"
        ),
    ] = None
    stream: Annotated[
        Literal["auto", "always", "never"],
        Field(
            description="whether images are read anew in each epoch; `auto` does so where they would take more "
            "than a quarter of the memory"
        ),
    ] = "auto"
    workers: Annotated[
        NonNegativeInt | None,
        Field(description="processes that read what is streamed, 0 for threads; one a core, up to 8, if left out"),
    ] = None
    batch_size: Annotated[
        PositiveInt | Literal["auto"], Field(description="samples per step; auto: as many as fit into memory")
    ] = 128
    micro_batches: Annotated[
        PositiveInt, Field(description="parts of a batch that go through one after the other, to need less memory")
    ] = 1
    epochs: Annotated[PositiveInt, Field(description="passes over the training data")] = 10
    optimiser: Annotated[Optimiser, *kind_of("optimisers"), Field(description="how weights are changed")] = (
        default_optimiser()
    )
    schedule: Annotated[Schedule, *kind_of("schedules"), Field(description="the learning rate over time")] = (
        Constant.plain_default()
    )
    precision: Annotated[
        Precision,
        Field(description="what the passes compute in; with 16 bits, weights and sums stay float32 (mixed precision)"),
    ] = "float32"
    lowerings: Annotated[
        Literal["auto", "library"],
        Field(
            description="how convolutions and the like are computed: auto chooses what is fastest on the device, by "
            "measurements; library leaves all to JAX and XLA"
        ),
    ] = "auto"
    remat: Annotated[
        Remat,
        BeforeValidator(_read_remat, json_schema_input_type=Remat | Text),
        Field(
            description="blocks of which nothing is kept for the backward pass: paths, patterns with *, all, or auto: "
            "as few as `memory` needs"
        ),
    ] = ()
    memory: Annotated[
        Count | None,
        BeforeValidator(_read_memory, json_schema_input_type=Count | Text | None),
        Field(
            description="what a step may need, for `remat: auto` and `batch_size: auto`: 16GiB, 512MiB, or bytes; "
            "what is free on the device if left out"
        ),
    ] = None
    mesh: Annotated[
        MeshSection | None,
        BeforeValidator(_read_mesh, json_schema_input_type=MeshSection | Text | None),
        Field(
            description="devices that a step is divided over: data=8, or data=4,fsdp=2; one if left out, and where "
            "several processes train together all, over `data`"
        ),
    ] = None
    passes: Annotated[
        tuple[PassName, ...],
        BeforeValidator(_read_passes, json_schema_input_type=tuple[PassName, ...] | PassName | Literal["none"]),
        Field(description="rewritings of the network that change nothing but its speed: their names, or none"),
    ] = DEFAULT
    clip: Annotated[
        Clip | None,
        BeforeValidator(_read_clip, json_schema_input_type=Clip | PositiveNumber | None),
        Field(description="bound on gradients: on their norm, or `{value: …}`, `{adaptive: …}`"),
    ] = None
    rates: Annotated[
        dict[Text, NonNegativeNumber],
        Field(description="factors of the learning rate by path pattern; 0 stands still. The last that fits counts"),
    ] = {}
    decays: Annotated[
        dict[Text, NonNegativeNumber],
        Field(description="factors of the weight decay by path pattern, where the optimiser's `decay` does not spare"),
    ] = {}
    ema: Annotated[
        Ema | None,
        BeforeValidator(_read_ema, json_schema_input_type=Ema | Probability | None),
        Field(description="moving average of the weights that the result is: its decay, or decay and warmup"),
    ] = None
    loss: Annotated[
        Loss | None, *kind_of("losses"), Field(description="what is made small; the task's own if left out")
    ] = None
    metrics: Annotated[
        tuple[Metric, ...] | None,
        *kinds_of("metrics"),
        Field(description="what the held-out part is measured by, beside the task's own"),
    ] = None
    evaluate_every: Annotated[
        Every | None,
        BeforeValidator(_read_steps, json_schema_input_type=Every | PositiveInt | None),
        Field(description="steps, or `{epochs: n}`, after which an evaluation follows; each epoch's end if left out"),
    ] = None
    early_stopping: Annotated[
        EarlyStopping | None,
        BeforeValidator(_read_patience, json_schema_input_type=EarlyStopping | PositiveInt | None),
        Field(description="ends training where evaluations no longer improve: their number, or with `metric`"),
    ] = None
    best: Annotated[
        Text | None,
        Field(
            description="the figure of evaluations by which the state is chosen that is kept, tested and used after "
            "training: loss, top1, …; the last state if left out"
        ),
    ] = None
    keep: Annotated[PositiveInt, Field(description="how many of the last states are kept, beside the best one")] = 2
    save_minutes: Annotated[
        PositiveNumber, Field(description="after so many minutes without evaluation the state is saved too")
    ] = 5.0
    init_from: Annotated[
        InitFrom | None,
        BeforeValidator(_read_init, json_schema_input_type=InitFrom | str | None),
        Field(description="weights to begin with: a path, or a path with what to leave out and to freeze"),
    ] = None
    augment: Annotated[
        tuple[Augmentation, ...] | None,
        *kinds_of("augmentations"),
        Field(description="random changes of the training images, one after another"),
    ] = None
    log: Annotated[
        tuple[Writer, ...] | None,
        *kinds_of("writers"),
        Field(description="who is told of the figures besides the run folder: mlflow, trackio"),
    ] = None
    export: Annotated[
        tuple[Literal["stablehlo"], ...],
        BeforeValidator(_read_export, json_schema_input_type=tuple[Literal["stablehlo"], ...] | Literal["stablehlo"]),
        Field(description="formats that the trained network is written in at the end too, in the run folder"),
    ] = ()
    seed: Annotated[
        NonNegativeInt, Field(description="fixes initial weights, order of the data, dropout and augmentation")
    ] = 0

    @property
    def blocks(self) -> int:
        """Blocks that devices divide a batch into, once the axes of the mesh are numbers; 1 until then."""
        return 1 if self.mesh is None or self.mesh.data == "auto" else self.mesh.mesh.batches

    @property
    def on_one_device(self) -> Self:
        """The recipe without its mesh."""
        return self if self.mesh is None else self.model_copy(update={"mesh": None})

    @property
    def samples(self) -> int:
        """Samples per step, once they are a number."""
        assert self.batch_size != "auto"
        return self.batch_size

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.batch_size != "auto" and self.batch_size % self.micro_batches:
            raise ValueError(f"`batch_size` {self.batch_size} has no {self.micro_batches} equal `micro_batches`")
        automatic = [name for name in ("batch_size", "remat") if getattr(self, name) == "auto"]
        if len(automatic) > 1:
            raise ValueError("one of `batch_size` and `remat` can be auto: the one is chosen so that the other fits")
        if self.memory is not None and not automatic:
            raise ValueError("`memory` is a limit for `remat: auto` or `batch_size: auto`, and neither is there")
        return self
