"""Definitions that a PyTorch file has where its network needs them, by name; none depends on another."""

from __future__ import annotations

HELPERS = {
    "without": '''
def without(name: str, module: nn.Module) -> nn.Module:
    """A module that lacks one of its parameters."""
    module.register_parameter(name, None)
    return module
''',
    "ChannelNorm": '''
class ChannelNorm(nn.LayerNorm):
    """Layer normalisation over channels, at each position by itself."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.movedim(1, -1)).movedim(-1, 1)
''',
    "LayerScale": '''
class LayerScale(nn.Module):
    """A trainable factor for each channel."""

    def __init__(self, channels: int, initial: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.full((channels,), initial))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.weight.view(-1, *(1,) * (x.ndim - 2))
''',
    "StochasticDepth": '''
class StochasticDepth(nn.Module):
    """In training sets samples, or the batch, to 0 at random; divides by 1 - rate."""

    def __init__(self, rate: float, mode: str = "row") -> None:
        super().__init__()
        self.rate = rate
        self.mode = mode

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.rate == 0:
            return x
        size = x.shape[0] if self.mode == "row" else 1
        keep = torch.rand(size, *(1,) * (x.ndim - 1), device=x.device) >= self.rate
        return x * keep / (1 - self.rate)
''',
    "RadialBasis": '''
class RadialBasis(nn.Module):
    """Minus the squared distance to fixed centres."""

    centres: Tensor

    def __init__(self, in_features: int, units: int) -> None:
        super().__init__()
        self.register_buffer("centres", torch.zeros(units, in_features))

    def forward(self, x: Tensor) -> Tensor:
        return -(x[:, None] - self.centres).square().sum(dim=-1)
''',
    "Subsample": '''
class Subsample(nn.Module):
    """The mean of each window times a factor plus a summand, one each per channel."""

    def __init__(
        self,
        channels: int,
        window: tuple[int, ...],
        *,
        stride: tuple[int, ...],
        padding: tuple[int, ...] = (0, 0, 0, 0),
        area: int,
    ) -> None:
        super().__init__()
        self.window, self.stride, self.padding = window, stride, padding
        self.area = area
        self.coefficient = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        pool = F.avg_pool2d if len(self.window) == 2 else F.avg_pool1d
        mean = pool(F.pad(x, self.padding), self.window, self.stride)
        mean = mean * (math.prod(self.window) / self.area)
        shape = (-1, *(1,) * len(self.window))
        return mean * self.coefficient.view(shape) + self.bias.view(shape)
''',
    "PartialConv": '''
class PartialConv(nn.Module):
    """A convolution whose filters see only the channels that are listed for each."""

    sources: Tensor
    filters: Tensor

    def __init__(
        self,
        in_channels: int,
        connections: tuple[tuple[int, ...], ...],
        kernel: tuple[int, ...],
        *,
        stride: tuple[int, ...],
        padding: tuple[int, ...],
        dilation: tuple[int, ...],
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.in_channels = in_channels
        self.stride, self.padding, self.dilation = stride, padding, dilation
        sources = [channel for seen in connections for channel in seen]
        filters = [number for number, seen in enumerate(connections) for _ in seen]
        self.register_buffer("sources", torch.tensor(sources), persistent=False)
        self.register_buffer("filters", torch.tensor(filters), persistent=False)
        self.weight = nn.Parameter(torch.randn(*kernel, len(sources)) / len(sources))
        self.bias = nn.Parameter(torch.zeros(len(connections))) if bias else None
        self.out_channels = len(connections)

    def forward(self, x: Tensor) -> Tensor:
        shape = (self.out_channels, self.in_channels, *self.weight.shape[:-1])
        weight = self.weight.new_zeros(shape)
        weight[self.filters, self.sources] = self.weight.movedim(-1, 0)
        conv = F.conv2d if len(self.stride) == 2 else F.conv1d
        x = F.pad(x, self.padding)
        return conv(x, weight, self.bias, self.stride, 0, self.dilation)
''',
    "LocallyConnected": '''
class LocallyConnected(nn.Module):
    """A convolution with filters and summands of its own at each position."""

    def __init__(
        self,
        in_channels: int,
        filters: int,
        size: tuple[int, ...],
        kernel: tuple[int, ...],
        *,
        stride: tuple[int, ...],
        padding: tuple[int, ...],
        dilation: tuple[int, ...],
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.size, self.kernel = size, kernel
        self.stride, self.padding, self.dilation = stride, padding, dilation
        fan_in = math.prod(kernel) * in_channels
        weight = torch.randn(*size, *kernel, in_channels, filters) / math.sqrt(fan_in)
        self.weight = nn.Parameter(weight)
        self.bias = nn.Parameter(torch.zeros(*size, filters)) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        x = F.pad(x, self.padding)
        taps = []
        for tap in itertools.product(*map(range, self.kernel)):
            cuts = [slice(None), slice(None)]
            lays = zip(tap, self.size, self.stride, self.dilation, strict=True)
            for place, size, step, spread in lays:
                first = place * spread
                cuts.append(slice(first, first + (size - 1) * step + 1, step))
            taps.append(x[tuple(cuts)])
        seen = torch.stack(taps, dim=-1).movedim(1, -1).flatten(-2)
        weight = self.weight.reshape(*self.size, -1, self.weight.shape[-1])
        y = (seen[..., None, :] @ weight)[..., 0, :]
        return (y if self.bias is None else y + self.bias).movedim(-1, 1)
''',
    "SelfAttention": '''
class SelfAttention(nn.Module):
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
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.heads = heads
        self.factor = (width // heads) ** -0.5 if scale else 1.0
        self.query = nn.Linear(in_channels, width, bias=bias)
        self.key = nn.Linear(in_channels, width, bias=bias)
        self.value = nn.Linear(in_channels, values, bias=bias)
        self.output = None if filters is None else nn.Linear(values, filters, bias=bias)
        # One row for each distance on an axis, where positions are relative.
        self.names = ("length",) if len(sizes) == 1 else ("height", "width")
        self.relative = bool(sizes)
        for name, size in zip(self.names, sizes):
            table = torch.randn(2 * size - 1, width // heads) * (width // heads) ** -0.5
            self.register_parameter(f"relative_{name}", nn.Parameter(table))

    def forward(self, x: Tensor) -> Tensor:
        sizes = x.shape[2:]
        x = x.flatten(2).transpose(1, 2)
        parts = (self.query(x), self.key(x), self.value(x))
        query, key, value = (
            part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in parts
        )
        query = query * self.factor
        logits = query @ key.transpose(-1, -2)
        if self.relative:
            logits = logits + self.distances(query, sizes)
        y = (logits.softmax(dim=-1) @ value).transpose(1, 2).flatten(2)
        if self.output is not None:
            y = self.output(y)
        return y.transpose(1, 2).unflatten(2, sizes)

    def distances(self, query: Tensor, sizes: torch.Size) -> Tensor:
        """q r for every two positions, (batch, heads, positions, positions)."""
        query = query.unflatten(2, sizes)
        total: Tensor | None = None
        for axis, (name, size) in enumerate(zip(self.names, sizes)):
            places = torch.arange(size, device=query.device)
            distance = places[None, :] - places[:, None] + size - 1
            rows = getattr(self, f"relative_{name}")[distance]
            if len(sizes) == 1:
                return torch.einsum("bnid,iud->bniu", query, rows)
            equation = "bnijd,iud->bniju" if axis == 0 else "bnijd,jvd->bnijv"
            own = torch.einsum(equation, query, rows)
            own = own[..., :, None] if axis == 0 else own[..., None, :]
            total = own if total is None else total + own
        assert total is not None
        return total.flatten(-2).flatten(2, 3)
''',
    "scaled_tanh": """
def scaled_tanh(x: Tensor, amplitude: float, slope: float) -> Tensor:
    return amplitude * torch.tanh(slope * x)
""",
    "channel_shuffle": '''
def channel_shuffle(x: Tensor, groups: int) -> Tensor:
    """Deals the channels of groups out in turn."""
    return x.unflatten(1, (groups, -1)).transpose(1, 2).flatten(1, 2)
''',
    "max_unpool": '''
def max_unpool(x: Tensor, indices: Tensor, size: tuple[int, ...]) -> Tensor:
    """Puts values back where maxima were found; those that meet are added up."""
    y = x.new_zeros(*x.shape[:2], math.prod(size))
    return y.scatter_add(2, indices.flatten(2), x.flatten(2)).unflatten(2, size)
''',
    "crop": '''
def crop(x: Tensor, first: tuple[int, ...], size: tuple[int, ...]) -> Tensor:
    """So many rows and columns from a first one on."""
    for axis, (place, length) in enumerate(zip(first, size, strict=True), 2):
        x = x.narrow(axis, place, length)
    return x
''',
    "counted_avg_pool": '''
def counted_avg_pool(
    x: Tensor,
    window: tuple[int, ...],
    stride: tuple[int, ...],
    pad: tuple[int, ...],
    *,
    counted: tuple[int, ...],
) -> Tensor:
    """The mean of what counts in each window: the map, and of its padding a part."""
    pool = F.avg_pool2d if len(window) == 2 else F.avg_pool1d
    ones = F.pad(torch.ones_like(x[:1, :1]), counted, value=1.0)
    rest = [whole - own for whole, own in zip(pad, counted, strict=True)]
    counts = pool(F.pad(ones, rest), window, stride)
    least = 1 / math.prod(window)
    return pool(F.pad(x, pad), window, stride) / counts.clamp(min=least)
''',
    "nearest": '''
def nearest(x: Tensor, size: tuple[int, ...]) -> Tensor:
    """Pixel i * before // after of each axis."""
    for axis, after in enumerate(size, 2):
        places = torch.arange(after, device=x.device) * x.shape[axis] // after
        x = x.index_select(axis, places)
    return x
''',
    "bed_of_nails": '''
def bed_of_nails(x: Tensor, factor: tuple[int, ...]) -> Tensor:
    """Every value at the beginning of a block of zeros."""
    sizes = [size * step for size, step in zip(x.shape[2:], factor, strict=True)]
    y = x.new_zeros(*x.shape[:2], *sizes)
    y[(..., *(slice(None, None, step) for step in factor))] = x
    return y
''',
    "space_to_depth": '''
def space_to_depth(x: Tensor, block: int, *, channels_fastest: bool = False) -> Tensor:
    """Each block of positions as channels of one."""
    batch, channels, *sizes = x.shape
    parts = [part for size in sizes for part in (size // block, block)]
    places = [2 + 2 * axis for axis in range(len(sizes))]
    within = [place + 1 for place in places]
    order = [*within, 1] if channels_fastest else [1, *within]
    x = x.reshape(batch, channels, *parts).permute(0, *order, *places)
    return x.reshape(batch, -1, *(size // block for size in sizes))
''',
    "depth_to_space": '''
def depth_to_space(x: Tensor, block: int, *, channels_fastest: bool = False) -> Tensor:
    """Each position's channels as a block of positions."""
    batch, channels, *sizes = x.shape
    rank = len(sizes)
    blocks, own = [block] * rank, channels // block**rank
    parts = [*blocks, own] if channels_fastest else [own, *blocks]
    first = 1 if channels_fastest else 2
    order = [place for axis in range(rank) for place in (2 + rank + axis, first + axis)]
    x = x.reshape(batch, *parts, *sizes)
    x = x.permute(0, 1 + rank if channels_fastest else 1, *order)
    return x.reshape(batch, own, *(size * block for size in sizes))
''',
}
