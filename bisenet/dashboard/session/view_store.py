"""The parsed photos of all sessions of the process, bounded together.

Each session is bounded by itself; what many of them hold must not exceed the container either. A
view that went is made again when its session next looks at the photo.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, Protocol, TypeVar

from bisenet.runtime.cgroup import memory_limit
from bisenet.runtime.settings import Settings

# Of what the container may use; the rest is for the files, for parsing and for the network.
SHARE = 0.25
_UNKNOWN = 8 * 2**30  # where the system does not tell


class Sized(Protocol):
    """Anything that knows how many bytes it holds."""

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        ...


ViewT = TypeVar("ViewT", bound=Sized)
# A photo's id, the weights, and what was asked of its faces.
Key = tuple[str, str, Hashable]
Place = tuple[object, Key]


class ViewStore(Generic[ViewT]):
    """Views by owner, photo and how it was parsed; those looked at longest ago go first.

    Safe between threads.

    Args:
        max_bytes: of all views together; the newest is kept whatever its size.
    """

    def __init__(self, max_bytes: int):
        self.max_bytes = max_bytes
        self._views: OrderedDict[Place, ViewT] = OrderedDict()
        # Reentrant: an owner may end, and call ``forget``, wherever Python collects its garbage.
        self._lock = threading.RLock()

    def __len__(self) -> int:
        return len(self._views)

    def get(self, owner: object, key: Key) -> ViewT | None:
        """An owner's view, which now is the one looked at last; None where it is not kept."""
        with self._lock:
            view = self._views.get((owner, key))
            if view is not None:
                self._views.move_to_end((owner, key))
            return view

    def put(self, owner: object, key: Key, view: ViewT, max_bytes: int) -> None:
        """Keep an owner's view; of its others as many as fit into ``max_bytes`` with it."""
        with self._lock:
            self._views[owner, key] = view
            self._views.move_to_end((owner, key))
            self._trim([place for place in self._views if place[0] is owner], max_bytes)
            self._trim(list(self._views), self.max_bytes)

    def forget(self, owner: object, photo_id: str | None = None) -> None:
        """Let an owner's views of a photo go, or all of them."""
        with self._lock:
            for place in list(self._views):
                if place[0] is owner and photo_id in (None, place[1][0]):
                    self._views.pop(place, None)

    def _trim(self, places: list[Place], max_bytes: int) -> None:
        """Let the oldest of these go, but never the last, until the rest fit."""
        held = {place: self._views[place].nbytes for place in places if place in self._views}
        total = sum(held.values())
        for place in places[:-1]:
            if total <= max_bytes:
                return
            total -= held.get(place, 0)
            self._views.pop(place, None)


def view_bytes() -> int:
    """Room for the views of one process: ``BISENET_VIEWS_MB``, or a quarter of its memory.

    Raises:
        ValueError: ``BISENET_VIEWS_MB`` is not a whole number of at least 1.
    """
    megabytes = Settings().views_mb
    return megabytes * 2**20 if megabytes else int(SHARE * (memory_limit() or _UNKNOWN))
