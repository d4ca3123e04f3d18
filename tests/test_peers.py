"""What processes that compute together tell each other."""

from __future__ import annotations

import json

from archspec.peers import ALONE, peers
from tests.together import together

TELLS = """
import json
from archspec.diagnostics import DataError
from archspec.peers import PIECE, peers
own = peers()
large = bytes([own.index + 1]) * (2 * PIECE + 7)
own.wait("begin")
found = {
    "who": [own.index, own.count, own.is_first],
    "numbers": [own.gathered("numbers", {"own": own.index * turn}) for turn in range(3)],
    "sizes": [[len(one), one[0], one[-1]] for one in own.exchange("large", large)],
    "nothing": [len(one) for one in own.exchange("nothing", b"")],
    "first": own.chosen("first", lambda: f"by {own.index}"),
}
def refused():
    raise DataError("E511", "it is not free", notes=["a note"], help=["take another"])
try:
    own.chosen("refused", refused if own.is_first else lambda: 1 / 0)
except DataError as error:
    found["refused"] = [error.code, error.message, error.notes, error.help]
own.wait("end")
print(json.dumps({**found, "left": own._client.key_value_dir_get("archspec/")}))
"""


def test_of_two_processes() -> None:
    found = [json.loads(out) for out in together(TELLS, 2)]
    assert [own.pop("who") for own in found] == [[0, 2, True], [1, 2, False]]
    assert found[0] == found[1]
    length = 2 * 2**20 + 7
    assert found[0] == {
        "numbers": [[{"own": 0}, {"own": turn}] for turn in range(3)],
        "sizes": [[length, 1, 1], [length, 2, 2]],
        "nothing": [0, 0],
        "first": "by 0",
        "refused": ["E511", "it is not free", ["a note"], ["take another"]],
        "left": [],
    }


def test_of_one_process_alone() -> None:
    assert peers() is ALONE
    assert (ALONE.is_first, ALONE.exchange("own", b"1"), ALONE.gathered("own", 2), ALONE.chosen("own", lambda: 3)) == (
        True,
        [b"1"],
        [2],
        3,
    )
    ALONE.wait("own")
