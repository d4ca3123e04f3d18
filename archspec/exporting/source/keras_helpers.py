"""Definitions that a Keras file has where its network needs them, by name, each after those that it needs."""

from __future__ import annotations

NEEDS = {
    "max_pool_with_taps": ("taps",),
    "dilated_max_pool": ("taps",),
    "LocallyConnected": ("taps",),
    "max_unpool": ("bed_of_nails", "placed"),
    "TransposedConv": ("bed_of_nails", "placed"),
}
"""Other definitions that some of them need."""

HELPERS = {
    "shared": '''
def shared(
    block: Callable[..., KerasTensor], *taken: KerasTensor, **options: Any
) -> keras.Model:
    """A block as a model of its own, so that several calls share its layers."""
    inputs = [keras.Input(own.shape[1:]) for own in taken]
    given = inputs[0] if len(inputs) == 1 else inputs
    return keras.Model(given, block(*inputs, **options))
''',
    "taps": '''
def taps(
    x: KerasTensor,
    window: tuple[int, ...],
    stride: tuple[int, ...],
    dilation: tuple[int, ...],
) -> list[KerasTensor]:
    """What each window has at its first place, at its second, and so on, row by row."""
    found = []
    for tap in itertools.product(*map(range, window)):
        cuts = [slice(None)]
        lays = zip(x.shape[1:-1], tap, window, stride, dilation, strict=True)
        for size, place, count, step, spread in lays:
            last = size - (count - 1) * spread + place * spread
            cuts.append(slice(place * spread, last, step))
        found.append(x[tuple(cuts)])
    return found
''',
    "bed_of_nails": '''
def bed_of_nails(x: KerasTensor, factor: tuple[int, ...]) -> KerasTensor:
    """Every value at the beginning of a block of zeros."""
    sizes, channels = x.shape[1:-1], x.shape[-1]
    split = [part for size in sizes for part in (size, 1)]
    zeros = [pair for step in factor for pair in ((0, 0), (0, step - 1))]
    x = ops.pad(ops.reshape(x, (-1, *split, channels)), ((0, 0), *zeros, (0, 0)))
    whole = (size * step for size, step in zip(sizes, factor, strict=True))
    return ops.reshape(x, (-1, *whole, channels))
''',
    "placed": '''
def placed(x: KerasTensor, first: list[int], size: tuple[int, ...]) -> KerasTensor:
    """A map of zeros of a size with x in it from a place on, which may be outside."""
    cuts, sides = [slice(None)], [(0, 0)]
    for own, start, whole in zip(x.shape[1:-1], first, size, strict=True):
        begin, end = max(0, -start), min(own, whole - start)
        cuts.append(slice(begin, max(begin, end)))
        before = max(0, start)
        sides.append((before, whole - before - max(0, end - begin)))
    return ops.pad(x[tuple(cuts)], (*sides, (0, 0)))
''',
    "StochasticDepth": '''
class StochasticDepth(layers.Layer):
    """In training sets samples, or the batch, to 0 at random; divides by 1 - rate."""

    def __init__(self, rate: float, mode: str = "row", **more: Any) -> None:
        super().__init__(**more)
        self.rate = rate
        self.mode = mode
        self.seeds = keras.random.SeedGenerator()

    def call(self, x: KerasTensor, training: bool | None = None) -> KerasTensor:
        if not training or self.rate == 0:
            return x
        size = ops.shape(x)[0] if self.mode == "row" else 1
        shape = (size, *(1,) * (len(x.shape) - 1))
        keep = keras.random.uniform(shape, seed=self.seeds) >= self.rate
        return x * ops.cast(keep, x.dtype) / (1 - self.rate)
''',
    "LayerScale": '''
class LayerScale(layers.Layer):
    """A trainable factor for each channel."""

    def __init__(self, initial: float, **more: Any) -> None:
        super().__init__(**more)
        self.initial = initial

    def build(self, shape: tuple[int | None, ...]) -> None:
        start = keras.initializers.Constant(self.initial)
        self.scale = self.add_weight(name="scale", shape=shape[-1:], initializer=start)

    def call(self, x: KerasTensor) -> KerasTensor:
        return x * self.scale
''',
    "RadialBasis": '''
class RadialBasis(layers.Layer):
    """Minus the squared distance to fixed centres."""

    def __init__(self, units: int, **more: Any) -> None:
        super().__init__(**more)
        self.units = units

    def build(self, shape: tuple[int | None, ...]) -> None:
        size = (self.units, shape[-1])
        self.centres = self.add_weight(name="centres", shape=size, trainable=False)

    def call(self, x: KerasTensor) -> KerasTensor:
        return -ops.sum(ops.square(x[:, None] - self.centres), axis=-1)
''',
    "Subsample": '''
class Subsample(layers.Layer):
    """The mean of each window times a factor plus a summand, one each per channel."""

    def __init__(
        self,
        window: tuple[int, ...],
        stride: tuple[int, ...],
        padding: tuple[tuple[int, int], ...],
        area: int,
        **more: Any,
    ) -> None:
        super().__init__(**more)
        self.window, self.stride, self.padding = window, stride, padding
        self.area = area

    def build(self, shape: tuple[int | None, ...]) -> None:
        size = shape[-1:]
        self.coefficient = self.add_weight(
            name="coefficient", shape=size, initializer="ones"
        )
        self.bias = self.add_weight(name="bias", shape=size, initializer="zeros")

    def call(self, x: KerasTensor) -> KerasTensor:
        x = ops.pad(x, ((0, 0), *self.padding, (0, 0)))
        mean = ops.average_pool(x, self.window, self.stride, padding="valid")
        mean = mean * (math.prod(self.window) / self.area)
        return mean * self.coefficient + self.bias
''',
    "PartialConv": '''
class PartialConv(layers.Layer):
    """A convolution whose filters see only the channels that are listed for each."""

    def __init__(
        self,
        connections: tuple[tuple[int, ...], ...],
        kernel: tuple[int, ...],
        stride: tuple[int, ...],
        padding: tuple[tuple[int, int], ...],
        dilation: tuple[int, ...],
        bias: bool = True,
        **more: Any,
    ) -> None:
        super().__init__(**more)
        self.connections, self.window = connections, kernel
        self.stride, self.padding, self.dilation = stride, padding, dilation
        self.use_bias = bias

    def build(self, shape: tuple[int | None, ...]) -> None:
        channels, filters = shape[-1], len(self.connections)
        pairs = [
            (channel, number)
            for number, seen in enumerate(self.connections)
            for channel in seen
        ]
        self.kernel = self.add_weight(name="kernel", shape=(*self.window, len(pairs)))
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight(
                name="bias", shape=(filters,), initializer="zeros"
            )
        # Which number of the whole kernel each one is.
        self.places = np.zeros((len(pairs), channels * filters), "float32")
        for place, (channel, number) in enumerate(pairs):
            self.places[place, channel * filters + number] = 1
        self.whole = (*self.window, channels, filters)

    def call(self, x: KerasTensor) -> KerasTensor:
        kernel = ops.reshape(ops.matmul(self.kernel, self.places), self.whole)
        x = ops.pad(x, ((0, 0), *self.padding, (0, 0)))
        y = ops.conv(x, kernel, self.stride, "valid", dilation_rate=self.dilation)
        return y if self.bias is None else y + self.bias
''',
    "LocallyConnected": '''
class LocallyConnected(layers.Layer):
    """A convolution with filters and summands of its own at each position."""

    def __init__(
        self,
        filters: int,
        size: tuple[int, ...],
        kernel: tuple[int, ...],
        stride: tuple[int, ...],
        padding: tuple[tuple[int, int], ...],
        dilation: tuple[int, ...],
        bias: bool = True,
        **more: Any,
    ) -> None:
        super().__init__(**more)
        self.filters, self.size, self.window = filters, size, kernel
        self.stride, self.padding, self.dilation = stride, padding, dilation
        self.use_bias = bias

    def build(self, shape: tuple[int | None, ...]) -> None:
        self.kernel = self.add_weight(
            name="kernel", shape=(*self.size, *self.window, shape[-1], self.filters)
        )
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight(
                name="bias", shape=(*self.size, self.filters), initializer="zeros"
            )

    def call(self, x: KerasTensor) -> KerasTensor:
        x = ops.pad(x, ((0, 0), *self.padding, (0, 0)))
        seen = taps(x, self.window, self.stride, self.dilation)
        x = ops.concatenate(seen, axis=-1)
        kernel = ops.reshape(self.kernel, (*self.size, -1, self.filters))
        y = ops.matmul(x[..., None, :], kernel)[..., 0, :]
        return y if self.bias is None else y + self.bias
''',
    "TransposedConv": '''
class TransposedConv(layers.Layer):
    """A transposed convolution in groups, or with dilation."""

    def __init__(
        self,
        filters: int,
        kernel: tuple[int, ...],
        stride: tuple[int, ...],
        before: tuple[int, ...],
        size: tuple[int, ...],
        dilation: tuple[int, ...],
        groups: int = 1,
        bias: bool = True,
        **more: Any,
    ) -> None:
        super().__init__(**more)
        self.filters, self.window, self.stride = filters, kernel, stride
        self.before, self.size, self.dilation = before, size, dilation
        self.groups, self.use_bias = groups, bias

    def build(self, shape: tuple[int | None, ...]) -> None:
        own = self.filters // self.groups
        self.kernel = self.add_weight(
            name="kernel", shape=(*self.window, shape[-1], own)
        )
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight(
                name="bias", shape=(self.filters,), initializer="zeros"
            )

    def call(self, x: KerasTensor) -> KerasTensor:
        # A convolution over zeros between the pixels, with the kernel turned round.
        kernel = ops.flip(self.kernel, axis=tuple(range(len(self.window))))
        channels = x.shape[-1] // self.groups
        own = self.filters // self.groups
        kernel = ops.reshape(kernel, (*self.window, self.groups, channels, own))
        kernel = ops.swapaxes(kernel, -3, -2)
        kernel = ops.reshape(kernel, (*self.window, channels, self.filters))
        pairs = zip(self.window, self.dilation, strict=True)
        reach = [(count - 1) * spread for count, spread in pairs]
        first = [own - before for own, before in zip(reach, self.before, strict=True)]
        whole = tuple(own + more for own, more in zip(self.size, reach, strict=True))
        x = placed(bed_of_nails(x, self.stride), first, whole)
        y = ops.conv(x, kernel, 1, "valid", dilation_rate=self.dilation)
        return y if self.bias is None else y + self.bias
''',
    "SelfAttention": '''
class SelfAttention(layers.Layer):
    """Each position takes values from all, weighed by softmax(q k / sqrt(d))."""

    def __init__(
        self,
        width: int,
        values: int,
        filters: int | None = None,
        heads: int = 1,
        scale: bool = True,
        relative: bool = False,
        bias: bool = True,
        **more: Any,
    ) -> None:
        super().__init__(**more)
        self.width, self.heads, self.relative = width, heads, relative
        self.factor = (width // heads) ** -0.5 if scale else 1.0
        self.query = layers.Dense(width, use_bias=bias, name="query")
        self.key = layers.Dense(width, use_bias=bias, name="key")
        self.value = layers.Dense(values, use_bias=bias, name="value")
        self.output_ = None
        if filters is not None:
            self.output_ = layers.Dense(filters, use_bias=bias, name="output")

    def build(self, shape: tuple[int | None, ...]) -> None:
        # One row for each distance on an axis, where positions are relative.
        self.tables = []
        names = ("length",) if len(shape) == 3 else ("height", "width")
        for name, size in zip(names, shape[1:-1], strict=True):
            if self.relative:
                rows = (2 * size - 1, self.width // self.heads)
                self.tables.append(self.add_weight(name=f"relative_{name}", shape=rows))
        for part in (self.query, self.key, self.value):
            part.build(shape)
        if self.output_ is not None:
            self.output_.build((*shape[:-1], self.value.units))

    def call(self, x: KerasTensor) -> KerasTensor:
        sizes = x.shape[1:-1]
        query, key, value = (
            ops.reshape(part(x), (-1, math.prod(sizes), self.heads, part.units // self.heads))
            for part in (self.query, self.key, self.value)
        )
        query = query * self.factor
        logits = ops.einsum("bqnd,bknd->bnqk", query, key)
        if self.relative:
            logits = logits + self.distances(query, sizes)
        y = ops.einsum("bnqk,bknd->bqnd", ops.softmax(logits), value)
        y = ops.reshape(y, (-1, *sizes, self.value.units))
        return y if self.output_ is None else self.output_(y)

    def distances(self, query: KerasTensor, sizes: tuple[int, ...]) -> KerasTensor:
        """q r for every two positions, (batch, heads, positions, positions)."""
        query = ops.reshape(query, (-1, *sizes, self.heads, query.shape[-1]))
        places = [np.arange(size) for size in sizes]
        rows = [
            ops.take(table, own[None, :] - own[:, None] + len(own) - 1, axis=0)
            for table, own in zip(self.tables, places, strict=True)
        ]
        if len(sizes) == 1:
            return ops.einsum("bind,iud->bniu", query, rows[0])
        down = ops.einsum("bijnd,iud->bniju", query, rows[0])
        across = ops.einsum("bijnd,jvd->bnijv", query, rows[1])
        total = down[..., :, None] + across[..., None, :]
        return ops.reshape(total, (-1, self.heads, math.prod(sizes), math.prod(sizes)))
''',
    "lrn": '''
def lrn(
    x: KerasTensor, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
) -> KerasTensor:
    """Each number over its neighbours' squares in so many channels."""
    sides = ((0, 0),) * (len(x.shape) - 1)
    squares = ops.pad(ops.square(x), (*sides, (size // 2, (size - 1) // 2)))
    total = sum(squares[..., i : i + x.shape[-1]] for i in range(size))
    return x / (k + alpha / size * total) ** beta
''',
    "l2_normalise": '''
def l2_normalise(x: KerasTensor, epsilon: float) -> KerasTensor:
    """Each vector of channels over its length."""
    length = ops.sqrt(ops.sum(ops.square(x), axis=-1, keepdims=True))
    return x / ops.maximum(length, epsilon)
''',
    "scaled_tanh": """
def scaled_tanh(x: KerasTensor, amplitude: float, slope: float) -> KerasTensor:
    return layers.Rescaling(amplitude)(ops.tanh(layers.Rescaling(slope)(x)))
""",
    "dilated_max_pool": '''
def dilated_max_pool(
    x: KerasTensor,
    window: tuple[int, ...],
    stride: tuple[int, ...],
    dilation: tuple[int, ...],
) -> KerasTensor:
    """The largest of numbers that lie apart."""
    return functools.reduce(ops.maximum, taps(x, window, stride, dilation))
''',
    "max_pool_with_taps": '''
def max_pool_with_taps(
    x: KerasTensor,
    window: tuple[int, ...],
    stride: tuple[int, ...],
    padding: tuple[tuple[int, int], ...],
    dilation: tuple[int, ...],
) -> tuple[KerasTensor, KerasTensor]:
    """Maxima of windows, and the number of the tap that each one was."""
    x = ops.pad(x, ((0, 0), *padding, (0, 0)), constant_values=-math.inf)
    largest, *others = taps(x, window, stride, dilation)
    numbers = ops.zeros_like(largest)
    for number, tap in enumerate(others, 1):
        numbers = ops.where(tap > largest, float(number), numbers)
        largest = ops.maximum(tap, largest)
    return largest, numbers
''',
    "max_unpool": '''
def max_unpool(
    x: KerasTensor,
    numbers: KerasTensor,
    window: tuple[int, ...],
    stride: tuple[int, ...],
    before: tuple[int, ...],
    dilation: tuple[int, ...],
    size: tuple[int, ...],
) -> KerasTensor:
    """Puts values back where maxima were found; those that meet are added up."""
    total: KerasTensor | float = 0.0
    for number, tap in enumerate(itertools.product(*map(range, window))):
        own = ops.where(ops.equal(numbers, float(number)), x, 0.0)
        lays = zip(tap, dilation, before, strict=True)
        first = [place * spread - border for place, spread, border in lays]
        total = total + placed(bed_of_nails(own, stride), first, size)
    return total
''',
    "avg_pool": '''
def avg_pool(
    x: KerasTensor,
    window: tuple[int, ...],
    stride: tuple[int, ...],
    padding: tuple[tuple[int, int], ...],
    counts: tuple[tuple[int, ...], ...],
) -> KerasTensor:
    """Sums of windows over how many rows, and columns, count in each."""
    x = ops.pad(x, ((0, 0), *padding, (0, 0)))
    x = ops.average_pool(x, window, stride, padding="valid")
    for axis, own in enumerate(counts):
        share = np.float32(own) / window[axis]
        x = x / np.reshape(share, (-1, *(1,) * (len(counts) - axis)))
    return x
''',
    "adaptive_pool": '''
def adaptive_pool(
    x: KerasTensor, size: tuple[int, ...], pool: Callable[..., KerasTensor]
) -> KerasTensor:
    """The mean, or the maximum, of so many bins that cover each axis."""
    for axis, bins in enumerate(size, 1):
        parts = []
        for i in range(bins):
            cuts = [slice(None)] * axis
            first, last = i * x.shape[axis] // bins, -((i + 1) * x.shape[axis] // -bins)
            part = x[(*cuts, slice(first, last))]
            parts.append(pool(part, axis=axis, keepdims=True))
        x = ops.concatenate(parts, axis=axis)
    return x
''',
    "channel_shuffle": '''
def channel_shuffle(x: KerasTensor, groups: int) -> KerasTensor:
    """Deals the channels of groups out in turn."""
    shape = x.shape[1:]
    x = ops.reshape(x, (-1, *shape[:-1], groups, shape[-1] // groups))
    return ops.reshape(ops.swapaxes(x, -1, -2), (-1, *shape))
''',
    "nearest": '''
def nearest(x: KerasTensor, size: tuple[int, ...]) -> KerasTensor:
    """Pixel i * before // after of each axis."""
    for axis, after in enumerate(size, 1):
        x = ops.take(x, np.arange(after) * x.shape[axis] // after, axis=axis)
    return x
''',
    "linear": '''
def linear(
    x: KerasTensor, size: tuple[int, ...], align_corners: bool = False
) -> KerasTensor:
    """Linear interpolation on each axis."""
    for axis, after in enumerate(size, 1):
        last = x.shape[axis] - 1
        places = (np.arange(after) + 0.5) * (x.shape[axis] / after) - 0.5
        if align_corners:
            places = np.arange(after) * (last / max(after - 1, 1))
        places = np.clip(places, 0, last)
        low = places.astype(int)
        share = np.reshape(places - low, (-1, *(1,) * (len(size) - axis + 1)))
        x, above = ops.take(x, low, axis), ops.take(x, np.minimum(low + 1, last), axis)
        x = x + (above - x) * np.float32(share)
    return x
''',
    "space_to_depth": '''
def space_to_depth(
    x: KerasTensor, block: int, channels_fastest: bool = False
) -> KerasTensor:
    """Each block of positions as channels of one."""
    *sizes, channels = x.shape[1:]
    parts = [part for size in sizes for part in (size // block, block)]
    places = [1 + 2 * axis for axis in range(len(sizes))]
    within = [place + 1 for place in places]
    last = 1 + len(parts)
    order = [*within, last] if channels_fastest else [last, *within]
    x = ops.transpose(ops.reshape(x, (-1, *parts, channels)), (0, *places, *order))
    whole = channels * block ** len(sizes)
    return ops.reshape(x, (-1, *(size // block for size in sizes), whole))
''',
    "depth_to_space": '''
def depth_to_space(
    x: KerasTensor, block: int, channels_fastest: bool = False
) -> KerasTensor:
    """Each position's channels as a block of positions."""
    *sizes, channels = x.shape[1:]
    rank = len(sizes)
    blocks, own = [block] * rank, channels // block**rank
    parts = [*blocks, own] if channels_fastest else [own, *blocks]
    first = 1 + rank + (0 if channels_fastest else 1)
    order = [place for axis in range(rank) for place in (1 + axis, first + axis)]
    order.append(1 + 2 * rank if channels_fastest else 1 + rank)
    x = ops.transpose(ops.reshape(x, (-1, *sizes, *parts)), (0, *order))
    return ops.reshape(x, (-1, *(size * block for size in sizes), own))
''',
}
"""Python text by name."""


def with_needs(names: list[str]) -> list[str]:
    """These names, each after those that it needs."""
    found: list[str] = []
    for name in names:
        for own in (*NEEDS.get(name, ()), name):
            if own not in found:
                found.append(own)
    return found
