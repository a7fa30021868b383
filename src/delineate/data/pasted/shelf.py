"""Shelf: what was made last stays at hand, as much of it as there is room for."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Generic, TypeVar

ROOM = 64_000_000
"""Bytes that a shelf takes: twenty pictures of a megapixel."""

Thing = TypeVar("Thing")


class Shelf(Generic[Thing]):
    """Keeps things by number; those not asked for longest go first.

    Args:
        make: Makes a thing that is not at hand.
        weigh: Tells the bytes that a thing takes.
        room: Bytes of things that are kept; the latest always is.
    """

    def __init__(
        self, make: Callable[[int], Thing], weigh: Callable[[Thing], int], room: int = ROOM
    ) -> None:
        self._make = make
        self._weigh = weigh
        self._room = room
        self._kept: OrderedDict[int, Thing] = OrderedDict()

    def __call__(self, number: int) -> Thing:
        """Return thing `number`, which the caller leaves unchanged."""
        if number in self._kept:
            self._kept.move_to_end(number)
            return self._kept[number]
        thing = self._make(number)
        self._kept[number] = thing
        while len(self._kept) > 1 and sum(map(self._weigh, self._kept.values())) > self._room:
            self._kept.popitem(last=False)
        return thing

    def __getstate__(self) -> dict[str, Any]:
        """Another process makes its own."""
        return {**self.__dict__, "_kept": OrderedDict()}
