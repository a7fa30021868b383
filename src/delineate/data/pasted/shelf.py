"""Shelf: what was made last stays at hand, as much of it as there is room for."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from delineate.core.image import ImageArray

_ROOM = 200_000_000  # bytes


class Shelf:
    """Keeps pictures by number; those not asked for longest go first.

    Args:
        make: Makes a picture that is not at hand.
        room: Bytes of pictures that are kept; the latest always is.
    """

    def __init__(self, make: Callable[[int], ImageArray], room: int = _ROOM) -> None:
        self._make = make
        self._room = room
        self._kept: OrderedDict[int, ImageArray] = OrderedDict()

    def __call__(self, number: int) -> ImageArray:
        """Return picture `number`, which the caller leaves unchanged."""
        if number in self._kept:
            self._kept.move_to_end(number)
            return self._kept[number]
        picture = self._make(number)
        self._kept[number] = picture
        while len(self._kept) > 1 and sum(p.nbytes for p in self._kept.values()) > self._room:
            self._kept.popitem(last=False)
        return picture

    def __getstate__(self) -> dict[str, Any]:
        """Another process makes its own."""
        return {**self.__dict__, "_kept": OrderedDict()}
