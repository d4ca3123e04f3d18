"""Fields of a prototxt with the checks that Caffe's parser makes: one value or several, numbers, names."""

from __future__ import annotations

from archspec.diagnostics import Source, count
from archspec.formats.prototext import Item, Message, Word
from archspec.importing.reading import fault

LARGEST = 2**31 - 1


class Parameters:
    """The fields of a message, by name."""

    def __init__(self, message: Message, source: Source) -> None:
        self.message, self.source = message, source

    def __contains__(self, name: str) -> bool:
        return name in self.message

    def fault(self, message: str, item: Item | None = None) -> Exception:
        """What is wrong, at a value's place or the message's."""
        place = item or self.message
        return fault(self.source, place.line, message, place.column, 1)

    def one(self, name: str) -> Item | None:
        """The value of a field that may stand once. Raises `SpecError` where it stands again."""
        items = self.message.items(name)
        if len(items) > 1:
            raise self.fault(f"`{name}` stands {count(len(items), 'time')}, and may once", items[1])
        return items[0] if items else None

    def inner(self, name: str) -> Parameters:
        """A message among the fields; an empty one where it is not there."""
        item = self.one(name)
        if item is None:
            return Parameters(Message(self.message.line, self.message.column), self.source)
        return self._message(name, item)

    def inners(self, name: str) -> list[Parameters]:
        return [self._message(name, item) for item in self.message.items(name)]

    def _message(self, name: str, item: Item) -> Parameters:
        if not isinstance(item.value, Message):
            raise self.fault(f"`{name}` is a message, `{name} {{ … }}`", item)
        return Parameters(item.value, self.source)

    def whole(self, name: str, default: int = 0, *, low: int = 0) -> int:
        item = self.one(name)
        return default if item is None else self._whole(name, item, low)

    def wholes(self, name: str, *, low: int = 0) -> list[int]:
        return [self._whole(name, item, low) for item in self.message.items(name)]

    def _whole(self, name: str, item: Item, low: int) -> int:
        value = item.value
        if not isinstance(value, int) or not low <= value <= LARGEST:
            raise self.fault(f"`{name}` is a whole number from {low} to {LARGEST:,}", item)
        return value

    def number(self, name: str, default: float = 0.0) -> float:
        item = self.one(name)
        return default if item is None else self._number(name, item)

    def numbers(self, name: str) -> list[float]:
        return [self._number(name, item) for item in self.message.items(name)]

    def _number(self, name: str, item: Item) -> float:
        value = item.value
        if not isinstance(value, (int, float)) or not abs(value) < 1e38:
            raise self.fault(f"`{name}` is a number", item)
        return float(value)

    def flag(self, name: str, default: bool) -> bool:
        item = self.one(name)
        if item is None:
            return default
        known = {
            "true": True,
            "false": False,
            "t": True,
            "f": False,
            "True": True,
            "False": False,
            "1": True,
            "0": False,
        }
        found = known.get(str(item.value))
        if found is None or isinstance(item.value, Message):
            raise self.fault(f"`{name}` is true or false", item)
        return found

    def text(self, name: str, default: str = "") -> str:
        item = self.one(name)
        return default if item is None else self._text(name, item)

    def texts(self, name: str) -> list[str]:
        return [self._text(name, item) for item in self.message.items(name)]

    def _text(self, name: str, item: Item) -> str:
        if not isinstance(item.value, str) or isinstance(item.value, Word) or len(item.value) > 1000:
            raise self.fault(f"`{name}` is a short text in quotes", item)
        return item.value

    def word(self, name: str, default: str = "") -> str:
        """One of an enumeration, by its name; old files have numbers there too."""
        item = self.one(name)
        if item is None:
            return default
        if isinstance(item.value, (Message, float)):
            raise self.fault(f"`{name}` is a name", item)
        return str(item.value)
