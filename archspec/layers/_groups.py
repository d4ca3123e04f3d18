"""What kinds that divide channels into groups share."""

from __future__ import annotations

from archspec.diagnostics import Setting, ShapeError, count


def require_groups(groups: int, channels: int) -> None:
    """Raises `ShapeError` unless the groups are all of one size."""
    if channels % groups == 0:
        return
    near = sorted((n for n in range(1, min(channels, 4096) + 1) if channels % n == 0), key=lambda n: abs(n - groups))
    raise ShapeError(
        f"{groups} groups do not divide {count(channels, 'channel')}",
        help=[
            f"{' or '.join(map(str, sorted(near[:2])))} groups do" if near[1:] else "1 group does",
            *(Setting(f"groups: {number}", (("groups", number),), said=False) for number in sorted(near[:2])),
        ],
        field="groups",
    )
