"""Definitions that a Flax file has where its network needs them, by name; none depends on another."""

from __future__ import annotations

HELPERS = {
    "TransposedConv": '''
class TransposedConv(nnx.Module):
    """A transposed convolution: a plain one whose filters are the kernel's phases."""

    def __init__(
        self,
        in_channels: int,
        filters: int,
        kernel: tuple[int, ...],
        *,
        strides: tuple[int, ...],
        padding: tuple[int, ...],
        size: tuple[int, ...],
        use_bias: bool = True,
        rngs: nnx.Rngs,
    ) -> None:
        self.strides, self.padding, self.size = strides, padding, size
        init = nnx.initializers.lecun_normal()
        self.kernel = nnx.Param(init(rngs.params(), (*kernel, in_channels, filters)))
        self.bias = nnx.Param(jnp.zeros(filters)) if use_bias else None

    def __call__(self, x: jax.Array) -> jax.Array:
        """Taps that lie a stride apart belong to one phase: to one place of an output
        pixel between two steps."""
        kernel = self.kernel[...]
        *window, channels, filters = kernel.shape
        rank = len(window)
        taps = [-(-size // step) for size, step in zip(window, self.strides)]
        missing = [
            (0, count * step - size)
            for count, step, size in zip(taps, self.strides, window)
        ]
        kernel = jnp.pad(kernel, (*missing, (0, 0), (0, 0)))
        parts = [part for pair in zip(taps, self.strides) for part in pair]
        kernel = kernel.reshape(*parts, channels, filters)
        kernel = lax.rev(kernel, range(0, 2 * rank, 2))
        order = (*range(0, 2 * rank, 2), 2 * rank, *range(1, 2 * rank, 2), 2 * rank + 1)
        kernel = kernel.transpose(order).reshape(*taps, channels, -1)
        y = lax.conv_general_dilated(
            x,
            kernel,
            (1,) * rank,
            [(count - 1, count - 1) for count in taps],
            dimension_numbers=("NHWC", "HWIO", "NHWC")
            if rank == 2
            else ("NWC", "WIO", "NWC"),
        )
        batch, *sizes, _ = y.shape
        y = y.reshape(batch, *sizes, *self.strides, filters)
        places = [place for axis in range(1, rank + 1) for place in (axis, axis + rank)]
        y = y.transpose(0, *places, 2 * rank + 1)
        sizes = [size * step for size, step in zip(sizes, self.strides)]
        y = y.reshape(batch, *sizes, filters)
        cuts = [
            (-before, before + size - whole, 0)
            for before, size, whole in zip(self.padding, self.size, sizes)
        ]
        y = lax.pad(y, jnp.zeros((), y.dtype), [(0, 0, 0), *cuts, (0, 0, 0)])
        return y if self.bias is None else y + self.bias[...]
''',
    "DilatedTransposedConv": '''
class DilatedTransposedConv(nnx.Module):
    """A transposed convolution with dilation or groups."""

    def __init__(
        self,
        in_channels: int,
        filters: int,
        kernel: tuple[int, ...],
        *,
        strides: tuple[int, ...],
        padding: tuple[int, ...],
        size: tuple[int, ...],
        dilation: tuple[int, ...],
        groups: int = 1,
        use_bias: bool = True,
        rngs: nnx.Rngs,
    ) -> None:
        self.strides, self.padding, self.size = strides, padding, size
        self.dilation, self.groups = dilation, groups
        init = nnx.initializers.lecun_normal()
        shape = (*kernel, in_channels, filters // groups)
        self.kernel = nnx.Param(init(rngs.params(), shape))
        self.bias = nnx.Param(jnp.zeros(filters)) if use_bias else None

    def __call__(self, x: jax.Array) -> jax.Array:
        *window, channels, filters = self.kernel.shape
        rank = len(window)
        sides = []
        for axis, step in enumerate(self.strides):
            reach = (window[axis] - 1) * self.dilation[axis]
            before = reach - self.padding[axis]
            after = self.size[axis] - 1 - (x.shape[axis + 1] - 1) * step + reach - before
            sides.append((before, after))
        kernel = lax.rev(self.kernel[...], range(rank))
        kernel = kernel.reshape(*window, self.groups, channels // self.groups, filters)
        kernel = kernel.swapaxes(-3, -2).reshape(*window, channels // self.groups, -1)
        y = lax.conv_general_dilated(
            x,
            kernel,
            (1,) * rank,
            sides,
            lhs_dilation=self.strides,
            rhs_dilation=self.dilation,
            feature_group_count=self.groups,
            dimension_numbers=("NHWC", "HWIO", "NHWC")
            if rank == 2
            else ("NWC", "WIO", "NWC"),
        )
        return y if self.bias is None else y + self.bias[...]
''',
    "LayerNorm": '''
class LayerNorm(nnx.Module):
    """Layer normalisation over all axes, with a factor and a summand for each number."""

    def __init__(
        self,
        shape: tuple[int, ...],
        epsilon: float = 1e-5,
        use_scale: bool = True,
        use_bias: bool = True,
    ) -> None:
        self.epsilon = epsilon
        self.scale = nnx.Param(jnp.ones(shape)) if use_scale else None
        self.bias = nnx.Param(jnp.zeros(shape)) if use_bias else None

    def __call__(self, x: jax.Array) -> jax.Array:
        axes = tuple(range(1, x.ndim))
        x = x - x.mean(axes, keepdims=True)
        x = x * lax.rsqrt(jnp.square(x).mean(axes, keepdims=True) + self.epsilon)
        if self.scale is not None:
            x = x * self.scale[...]
        return x if self.bias is None else x + self.bias[...]
''',
    "LayerScale": '''
class LayerScale(nnx.Module):
    """A trainable factor for each channel."""

    def __init__(self, channels: int, initial: float) -> None:
        self.scale = nnx.Param(jnp.full(channels, initial))

    def __call__(self, x: jax.Array) -> jax.Array:
        return x * self.scale[...]
''',
    "PReLU": '''
class PReLU(nnx.Module):
    """x where x > 0, slope * x elsewhere."""

    def __init__(self, slopes: int, initial: float = 0.25) -> None:
        self.slope = nnx.Param(jnp.full(slopes, initial))

    def __call__(self, x: jax.Array) -> jax.Array:
        return jnp.where(x > 0, x, self.slope[...] * x)
''',
    "RadialBasis": '''
class RadialBasis(nnx.Module):
    """Minus the squared distance to fixed centres."""

    def __init__(self, in_features: int, units: int) -> None:
        self.centres = nnx.BatchStat(jnp.zeros((units, in_features)))

    def __call__(self, x: jax.Array) -> jax.Array:
        return -jnp.sum(jnp.square(x[:, None, :] - self.centres[...]), axis=-1)
''',
    "Subsample": '''
class Subsample(nnx.Module):
    """The mean of each window times a factor plus a summand, one each per channel."""

    def __init__(
        self,
        channels: int,
        window: tuple[int, ...],
        *,
        strides: tuple[int, ...],
        padding: tuple[tuple[int, int], ...],
        area: int,
    ) -> None:
        self.window, self.strides, self.padding = window, strides, padding
        self.area = area
        self.coefficient = nnx.Param(jnp.ones(channels))
        self.bias = nnx.Param(jnp.zeros(channels))

    def __call__(self, x: jax.Array) -> jax.Array:
        total = lax.reduce_window(
            x,
            0.0,
            lax.add,
            (1, *self.window, 1),
            (1, *self.strides, 1),
            ((0, 0), *self.padding, (0, 0)),
        )
        return total / self.area * self.coefficient[...] + self.bias[...]
''',
    "PartialConv": '''
class PartialConv(nnx.Module):
    """A convolution whose filters see only the channels that are listed for each."""

    def __init__(
        self,
        in_channels: int,
        connections: tuple[tuple[int, ...], ...],
        kernel: tuple[int, ...],
        *,
        strides: tuple[int, ...],
        padding: tuple[tuple[int, int], ...],
        dilation: tuple[int, ...],
        use_bias: bool = True,
        rngs: nnx.Rngs,
    ) -> None:
        self.in_channels, self.connections = in_channels, connections
        self.strides, self.padding, self.dilation = strides, padding, dilation
        pairs = sum(map(len, connections))
        init = nnx.initializers.lecun_normal()
        self.kernel = nnx.Param(init(rngs.params(), (*kernel, pairs)))
        self.bias = nnx.Param(jnp.zeros(len(connections))) if use_bias else None

    def __call__(self, x: jax.Array) -> jax.Array:
        kernel = self.kernel[...]
        sources = np.concatenate([np.asarray(seen) for seen in self.connections])
        counts = [len(seen) for seen in self.connections]
        filters = np.repeat(np.arange(len(counts)), counts)
        shape = (*kernel.shape[:-1], self.in_channels, len(counts))
        dense = jnp.zeros(shape, kernel.dtype).at[..., sources, filters].set(kernel)
        y = lax.conv_general_dilated(
            x,
            dense,
            self.strides,
            self.padding,
            rhs_dilation=self.dilation,
            dimension_numbers=("NHWC", "HWIO", "NHWC")
            if x.ndim == 4
            else ("NWC", "WIO", "NWC"),
        )
        return y if self.bias is None else y + self.bias[...]
''',
    "LocallyConnected": '''
class LocallyConnected(nnx.Module):
    """A convolution with filters and summands of its own at each position."""

    def __init__(
        self,
        in_channels: int,
        filters: int,
        size: tuple[int, ...],
        kernel: tuple[int, ...],
        *,
        strides: tuple[int, ...],
        padding: tuple[tuple[int, int], ...],
        dilation: tuple[int, ...],
        use_bias: bool = True,
        rngs: nnx.Rngs,
    ) -> None:
        self.size, self.window = size, kernel
        self.strides, self.padding, self.dilation = strides, padding, dilation
        init = nnx.initializers.lecun_normal()
        shape = (*size, *kernel, in_channels, filters)
        self.kernel = nnx.Param(init(rngs.params(), shape))
        self.bias = nnx.Param(jnp.zeros((*size, filters))) if use_bias else None

    def __call__(self, x: jax.Array) -> jax.Array:
        x = jnp.pad(x, ((0, 0), *self.padding, (0, 0)))
        taps = []
        for tap in np.ndindex(*self.window):
            cuts = [slice(None)]
            lays = zip(tap, self.size, self.strides, self.dilation, strict=True)
            for place, size, step, spread in lays:
                first = place * spread
                cuts.append(slice(first, first + (size - 1) * step + 1, step))
            taps.append(x[tuple(cuts)])
        seen = jnp.concatenate(taps, axis=-1)
        kernel = self.kernel[...].reshape(*self.size, seen.shape[-1], -1)
        equation = "bhws,hwsf->bhwf" if x.ndim == 4 else "bls,lsf->blf"
        y = jnp.einsum(equation, seen, kernel)
        return y if self.bias is None else y + self.bias[...]
''',
    "SelfAttention": '''
class SelfAttention(nnx.Module):
    """Each position takes values from all, weighed by softmax(q k / sqrt(d))."""

    def __init__(
        self,
        in_channels: int,
        width: int,
        values: int,
        *,
        filters: int | None = None,
        heads: int = 1,
        scale: bool = True,
        sizes: tuple[int, ...] = (),
        use_bias: bool = True,
        rngs: nnx.Rngs,
    ) -> None:
        def linear(inner: int, outer: int) -> nnx.Linear:
            return nnx.Linear(inner, outer, use_bias=use_bias, rngs=rngs)

        self.heads = heads
        self.factor = 1 / math.sqrt(width // heads) if scale else 1.0
        self.query = linear(in_channels, width)
        self.key = linear(in_channels, width)
        self.value = linear(in_channels, values)
        self.output = None if filters is None else linear(values, filters)
        # One row for each distance on an axis, where positions are relative.
        self.relative = bool(sizes)
        names = ("length",) if len(sizes) == 1 else ("height", "width")
        init = nnx.initializers.normal((width // heads) ** -0.5)
        for name, size in zip(names, sizes):
            table = init(rngs.params(), (2 * size - 1, width // heads))
            setattr(self, f"relative_{name}", nnx.Param(table))

    def __call__(self, x: jax.Array) -> jax.Array:
        batch, *sizes, _ = x.shape
        query, key, value = (
            part(x).reshape(batch, -1, self.heads, part.out_features // self.heads)
            for part in (self.query, self.key, self.value)
        )
        if self.factor != 1:
            query = query * self.factor
        logits = jnp.einsum("bqnd,bknd->bnqk", query, key)
        if self.relative:
            placed = query.reshape(batch, *sizes, *query.shape[2:])
            logits = logits + self.distances(placed).reshape(logits.shape)
        weights = jax.nn.softmax(logits)
        y = jnp.einsum("bnqk,bknd->bqnd", weights, value).reshape(batch, *sizes, -1)
        return y if self.output is None else self.output(y)

    def distances(self, query: jax.Array) -> jax.Array:
        """q r for every two positions, head by head."""

        def rows(name: str) -> jax.Array:
            table = getattr(self, f"relative_{name}")[...]
            places = np.arange((table.shape[0] + 1) // 2)
            return table[places[None, :] - places[:, None] + len(places) - 1]

        if query.ndim == 4:
            return jnp.einsum("bind,iud->bniu", query, rows("length"))
        down = jnp.einsum("bijnd,iud->bniju", query, rows("height"))
        across = jnp.einsum("bijnd,jvd->bnijv", query, rows("width"))
        return down[..., :, None] + across[..., None, :]
''',
    "lrn": '''
def lrn(x: jax.Array, size: int, alpha: float, beta: float, k: float) -> jax.Array:
    """Local response normalisation: x / (k + alpha / size * sum of squares) ** beta."""
    ones = (1,) * (x.ndim - 1)
    sides = (*((0, 0) for _ in ones), (size // 2, (size - 1) // 2))
    total = lax.reduce_window(
        lax.square(x), 0.0, lax.add, (*ones, size), (*ones, 1), sides
    )
    base = k + alpha / size * total
    root = lax.rsqrt(base)
    if beta == 0.75:
        return x * (root * lax.sqrt(root))
    return x * (root if beta == 0.5 else base**-beta)
''',
    "l2_normalise": '''
def l2_normalise(x: jax.Array, epsilon: float) -> jax.Array:
    """Vectors of channels with length 1."""
    total = jnp.sum(lax.square(x), axis=-1, keepdims=True)
    is_long = total > epsilon * epsilon
    root = lax.rsqrt(jnp.where(is_long, total, 1.0))
    return jnp.where(is_long, x * root, x / epsilon)
''',
    "channel_shuffle": '''
def channel_shuffle(x: jax.Array, groups: int) -> jax.Array:
    """Deals the channels of groups out in turn."""
    parts = x.reshape(*x.shape[:-1], groups, -1)
    return parts.swapaxes(-1, -2).reshape(x.shape)
''',
    "dilated_max_pool": """
def dilated_max_pool(
    x: jax.Array,
    window: tuple[int, ...],
    strides: tuple[int, ...],
    padding: tuple[tuple[int, int], ...],
    dilation: tuple[int, ...],
) -> jax.Array:
    return lax.reduce_window(
        x,
        -jnp.inf,
        lax.max,
        (1, *window, 1),
        (1, *strides, 1),
        ((0, 0), *padding, (0, 0)),
        window_dilation=(1, *dilation, 1),
    )
""",
    "max_pool_with_indices": '''
def max_pool_with_indices(
    x: jax.Array,
    window: tuple[int, ...],
    strides: tuple[int, ...],
    padding: tuple[tuple[int, int], ...],
    dilation: tuple[int, ...],
) -> tuple[jax.Array, jax.Array]:
    """The largest value of each window, and its place on the map, row by row."""
    sizes = x.shape[1:-1]
    padded = jnp.pad(x, ((0, 0), *padding, (0, 0)), constant_values=-jnp.inf)
    counts = [
        (size - (taps - 1) * spread - 1) // step + 1
        for size, taps, spread, step in zip(
            padded.shape[1:-1], window, dilation, strides
        )
    ]
    values, places = [], []
    for tap in np.ndindex(*window):
        starts = [place * spread for place, spread in zip(tap, dilation)]
        rows = [
            start + step * np.arange(count)
            for start, step, count in zip(starts, strides, counts)
        ]
        cuts = [slice(row[0], row[-1] + 1, step) for row, step in zip(rows, strides)]
        values.append(padded[(slice(None), *cuts)])
        place = np.zeros((), np.int32)
        for row, size, (before, _) in zip(rows, sizes, padding):
            place = np.add.outer(place * size, row - before)
        places.append(place)
    best = jnp.argmax(jnp.stack(values), axis=0)
    table = jnp.asarray(np.stack(places), jnp.int32)[..., None]
    indices = jnp.take_along_axis(
        jnp.broadcast_to(table[:, None], (len(places), *best.shape)), best[None], axis=0
    )
    return jnp.max(jnp.stack(values), axis=0), indices[0]
''',
    "max_unpool": '''
def max_unpool(x: jax.Array, indices: jax.Array, size: tuple[int, ...]) -> jax.Array:
    """Puts values back where maxima were found; those that meet are added up."""
    batch, channels = x.shape[0], x.shape[-1]
    flat, places = (part.reshape(batch, -1, channels) for part in (x, indices))
    sample = np.arange(batch)[:, None, None]
    y = jnp.zeros((batch, math.prod(size), channels), x.dtype)
    y = y.at[sample, places, np.arange(channels)].add(flat)
    return y.reshape(batch, *size, channels)
''',
    "counted_avg_pool": '''
def counted_avg_pool(
    x: jax.Array,
    window: tuple[int, ...],
    strides: tuple[int, ...],
    padding: tuple[tuple[int, int], ...],
    *,
    counted: tuple[tuple[int, int], ...],
) -> jax.Array:
    """The mean of what counts in each window: the map, and of its padding a part."""

    def sums(x: jax.Array, sides: tuple[tuple[int, int], ...]) -> jax.Array:
        return lax.reduce_window(
            x,
            0.0,
            lax.add,
            (1, *window, 1),
            (1, *strides, 1),
            ((0, 0), *sides, (0, 0)),
        )

    own = [size + sum(sides) for size, sides in zip(x.shape[1:-1], counted)]
    rest = tuple(
        (before - first, after - last)
        for (before, after), (first, last) in zip(padding, counted)
    )
    counts = sums(jnp.ones((1, *own, 1), x.dtype), rest)
    return sums(x, padding) / jnp.maximum(counts, 1)
''',
    "adaptive_avg_pool": '''
def adaptive_avg_pool(x: jax.Array, size: tuple[int, ...]) -> jax.Array:
    """The mean of each of so many bins that cover an axis, whatever its length."""
    if x.shape[1:-1] == size:
        return x
    matrices = []
    for length, bins in zip(x.shape[1:-1], size):
        matrix = np.zeros((bins, length), np.float32)
        for i in range(bins):
            start, stop = i * length // bins, -((i + 1) * length // -bins)
            matrix[i, start:stop] = 1 / (stop - start)
        matrices.append(matrix)
    equation = "ih,bhwc,jw->bijc" if x.ndim == 4 else "il,blc->bic"
    rows, *columns = matrices
    return jnp.einsum(equation, rows, x, *columns, precision="highest")
''',
    "adaptive_max_pool": '''
def adaptive_max_pool(x: jax.Array, size: tuple[int, ...]) -> jax.Array:
    """The maximum of each of so many bins that cover an axis, whatever its length."""
    for axis, bins in enumerate(size, 1):
        length = x.shape[axis]
        parts = []
        for i in range(bins):
            places = slice(i * length // bins, -((i + 1) * length // -bins))
            cut = x[(*(slice(None),) * axis, places)]
            parts.append(cut.max(axis, keepdims=True))
        x = jnp.concatenate(parts, axis=axis)
    return x
''',
    "resize": '''
def resize(
    x: jax.Array, size: tuple[int, ...], align_corners: bool = False
) -> jax.Array:
    """Linear interpolation along each axis, as a product with a matrix of weights."""
    for axis, after in enumerate(size, 1):
        before = x.shape[axis]
        if align_corners:
            places = np.arange(after) * ((before - 1) / (after - 1) if after > 1 else 0)
        else:
            places = np.maximum((np.arange(after) + 0.5) * (before / after) - 0.5, 0)
        low = np.minimum(places.astype(int), before - 1)
        high = np.minimum(low + 1, before - 1)
        weights = np.zeros((after, before))
        np.add.at(weights, (np.arange(after), low), 1 - (places - low))
        np.add.at(weights, (np.arange(after), high), places - low)
        matrix = weights.astype(np.float32)
        equation = "il,blc->bic"
        if len(size) == 2:
            equation = "ih,bhwc->biwc" if axis == 1 else "jw,biwc->bijc"
        x = jnp.einsum(equation, matrix, x, precision="highest")
    return x
''',
    "crop": '''
def crop(x: jax.Array, first: tuple[int, ...], size: tuple[int, ...]) -> jax.Array:
    """So many rows, columns and channels from a first one on."""
    last = [place + length for place, length in zip(first, size)]
    return lax.slice(x, (0, *first), (x.shape[0], *last))
''',
    "nearest": '''
def nearest(x: jax.Array, size: tuple[int, ...]) -> jax.Array:
    """Pixel i * before // after of each axis."""
    for axis, after in enumerate(size, 1):
        x = jnp.take(x, np.arange(after) * x.shape[axis] // after, axis=axis)
    return x
''',
    "bed_of_nails": '''
def bed_of_nails(x: jax.Array, factor: tuple[int, ...]) -> jax.Array:
    """Every value at the beginning of a block of zeros."""
    steps = ((0, step - 1, step - 1) for step in factor)
    return lax.pad(x, jnp.zeros((), x.dtype), [(0, 0, 0), *steps, (0, 0, 0)])
''',
    "space_to_depth": '''
def space_to_depth(
    x: jax.Array, block: int, *, channels_fastest: bool = False
) -> jax.Array:
    """Each block of positions as channels of one."""
    batch, *sizes, channels = x.shape
    parts = [part for size in sizes for part in (size // block, block)]
    places = [1 + 2 * axis for axis in range(len(sizes))]
    within, last = [place + 1 for place in places], 2 * len(sizes) + 1
    order = [*within, last] if channels_fastest else [last, *within]
    x = x.reshape(batch, *parts, channels).transpose(0, *places, *order)
    return x.reshape(batch, *(size // block for size in sizes), -1)
''',
    "depth_to_space": '''
def depth_to_space(
    x: jax.Array, block: int, *, channels_fastest: bool = False
) -> jax.Array:
    """Each position's channels as a block of positions."""
    batch, *sizes, channels = x.shape
    rank = len(sizes)
    own, blocks = channels // block**rank, [block] * rank
    parts = [*blocks, own] if channels_fastest else [own, *blocks]
    first = 1 + rank + (0 if channels_fastest else 1)
    order = [place for axis in range(rank) for place in (1 + axis, first + axis)]
    last = 1 + 2 * rank if channels_fastest else 1 + rank
    x = x.reshape(batch, *sizes, *parts).transpose(0, *order, last)
    return x.reshape(batch, *(size * block for size in sizes), own)
''',
}
