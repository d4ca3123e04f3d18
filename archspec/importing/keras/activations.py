"""Functions of one value each, as layers of their own and as `activation=` of others."""

from __future__ import annotations

from typing import Any

from archspec.importing.keras.making import Making, NoneSuchError

PLAIN: dict[str, tuple[str, dict[str, Any]]] = {
    **{name: (name, {}) for name in ("relu", "relu6", "sigmoid", "tanh", "softmax", "elu", "softplus", "mish")},
    **{name: ("silu", {}) for name in ("silu", "swish")},
    **{name: ("hard_swish", {}) for name in ("hard_silu", "hard_swish")},
    "log_softmax": ("log_softmax", {}),
    "leaky_relu": ("leaky_relu", {"slope": 0.2}),
    "gelu": ("gelu", {}),
}
"""Keras's functions by name, with their usual arguments."""


def activated(making: Making, said: Any, *, unnamed: bool = True) -> None:
    """Emits the function that a description names: text, or a function or layer with its arguments."""
    name, fields = _named(said)
    if name in (None, "linear"):
        return
    if name == "hard_sigmoid":
        # min(max(x/6 + 0.5, 0), 1) in Keras 3, and min(max(0.2·x + 0.5, 0), 1) before.
        if making.network.version != 3:
            raise NoneSuchError(
                "is hard_sigmoid of Keras 2 and before, of slope 0.2; there is hard_sigmoid of slope 1/6"
            )
        making.emit("hard_sigmoid", unnamed=unnamed)
    elif name in PLAIN:
        kind, usual = PLAIN[name]
        if kind in ("softmax", "log_softmax") and making.rank > 2 and making.network.order == "channels_first":
            # Along the last axis, as Keras has it: that is the columns' here, and not the channels'.
            usual = {"axis": -1}
        making.emit(kind, {**usual, **fields}, unnamed=unnamed)
    elif name in LAYERS:
        config = said["config"] if isinstance(said, dict) and isinstance(said.get("config"), dict) else {}
        inner = making.layer._replace(kind=name, config=config)
        own = Making(making.network, inner, making.number, making.values, (), making.scope)
        LAYERS[name](own)
        making.made += own.made
        making.values = own.values
    else:
        raise NoneSuchError(f"is the function {str(name)[:60]}")


def _named(said: Any) -> tuple[str | None, dict[str, Any]]:
    """The name that a description gives a function."""
    if said is None or isinstance(said, str):
        return said, {}
    if isinstance(said, dict):
        config = said.get("config")
        registered = str(said.get("registered_name") or "")
        if ">" in registered:
            raise NoneSuchError(f"has a function of its author's own, {registered[:60]}")
        if said.get("class_name") == "function" and isinstance(config, str):
            return config, {}
        if isinstance(said.get("class_name"), str):
            return said["class_name"], {}
    raise NoneSuchError(f"has the activation {str(said)[:60]}")


def _activation(making: Making) -> None:
    activated(making, making.get("activation", default="linear"), unnamed=False)
    if not making.made:
        making.emit("identity")


def _relu(making: Making) -> None:
    most = making.get("max_value")
    slope = making.real("negative_slope", default=0.0)
    threshold = making.real("threshold", default=0.0)
    if threshold or (most is not None and slope) or most not in (None, 6, 6.0):
        raise NoneSuchError(f"is a rectifier with max_value {most}, negative_slope {slope:g}, threshold {threshold:g}")
    if slope:
        making.emit("leaky_relu", {"slope": slope})
    else:
        making.emit("relu" if most is None else "relu6")


def _leaky(making: Making) -> None:
    making.emit("leaky_relu", {"slope": making.real("negative_slope", "alpha", default=0.3)})


def _elu(making: Making) -> None:
    alpha = making.real("alpha", default=1.0)
    making.emit("elu", {"alpha": alpha} if alpha != 1 else {})


def _softmax(making: Making) -> None:
    axis = making.get("axis", default=-1)
    if isinstance(axis, list) and len(axis) == 1:
        axis = axis[0]
    if not isinstance(axis, int):
        raise NoneSuchError(f"runs along {str(axis)[:60]}")
    making.emit("softmax", {"axis": axis})


def _prelu(making: Making) -> None:
    shared = making.get("shared_axes", default=[])
    places = set(range(1, making.rank - 1)) if making.network.order == "channels_last" else set(range(2, making.rank))
    alpha = making.array("alpha")
    if set(shared) == places:
        fields = {}
    elif set(shared) == set(range(1, making.rank)):
        fields = {"shared": True}
    else:
        raise NoneSuchError(f"has a slope for each position (shared_axes: {shared}); there is one for each channel")
    if alpha is not None:
        whole = alpha
        size = max(alpha.shape, default=1)
        alpha = whole if len(whole.shape) == 1 else _flat(whole, size)
    making.emit("prelu", fields, making.arrays(slope=alpha), shared=True)


def _flat(tensor: Any, size: int) -> Any:
    from archspec.importing.keras.making import changed

    return changed(tensor, (size,), lambda array: array.reshape(-1))


LAYERS = {
    "Activation": _activation,
    "ReLU": _relu,
    "LeakyReLU": _leaky,
    "ELU": _elu,
    "Softmax": _softmax,
    "PReLU": _prelu,
}
"""Layers that are functions, by Keras's name."""
