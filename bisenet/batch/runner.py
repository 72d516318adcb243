"""The run of a batch in memory: photo after photo, read while it goes, stopped at any time."""

from __future__ import annotations

import dataclasses
import hashlib
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

from bisenet.batch.items import TIDY, BatchItem, Parse, keep, measured
from bisenet.engines import EngineError
from bisenet.images.archives import ArchiveError, SkippedFile
from bisenet.images.decode import ImageError, Photo
from bisenet.images.sources import PhotoSources, Source
from bisenet.parser import Parsing
from bisenet.runtime.cancellation import Cancelled

# The rate is that of the last photos: an average since the start would not see a slow stretch.
RATE_PHOTOS = 20
# Masks of this many bytes are kept; 2,000 faces of 512 x 512 pixels take 15 MB.
MAX_MASK_BYTES = 256 * 2**20

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Snapshot:
    """A batch at one moment.

    Attributes:
        items: the photos that were parsed, in the order in which they came.
        failed: what was refused or failed.
        total: photos to parse in all.
        tried: photos that are behind it.
        rate: photos a second over the last ones; 0 before the second.
        seconds_left: None while that cannot be told.
        masks_dropped: photos whose masks were too many to keep.
    """

    items: tuple[BatchItem, ...]
    failed: tuple[SkippedFile, ...]
    total: int
    tried: int
    rate: float
    seconds_left: float | None
    masks_dropped: int

    @property
    def faces(self) -> int:
        """How many faces were parsed."""
        return sum(photo.faces for photo in self.items)


class Batch:
    """Photos and what became of them. ``run`` fills it; everything else may be read meanwhile.

    Args:
        found: the photos.
        parse: parses one; it may wait for its turn.
        max_mask_bytes: masks beyond are not kept.
    """

    def __init__(self, found: PhotoSources, parse: Parse, max_mask_bytes: int = MAX_MASK_BYTES):
        self._sources: dict[str, Source] = {source.name: source for source in found.sources}
        self._parse: Parse | None = parse
        self._mask_room = max_mask_bytes
        self._lock = threading.Lock()
        self._items: list[BatchItem] = []
        self._failed: list[SkippedFile] = list(found.refused)
        self._total = len(found.sources)
        self._tried = 0
        self._masks_dropped = 0
        self._times: deque[float] = deque(maxlen=RATE_PHOTOS)
        self._seen: dict[str, str] = {}
        self._table = pd.DataFrame(columns=list(TIDY))
        self._in_table = 0
        self._released = False
        self._stop: Callable[[], bool] = lambda: False

    def run(self, progress: Callable[[float, str], None], stop: Callable[[], bool]) -> None:
        """Parse every photo that is left; a bad one is listed and the next follows.

        Args:
            progress: called before each photo with the share that is done and a word on it.
            stop: asked before each photo; what is done stays.

        Raises:
            Cancelled: it was stopped while a photo waited for its turn.
        """
        self._stop = stop
        self._times.append(time.monotonic())
        for number, source in enumerate(tuple(self._sources.values())):
            if self.stopping:
                return
            progress(number / self._total, f"photo {number + 1:,} of {self._total:,}")
            outcome = self._one(number, source)
            with self._lock:
                if self._released:
                    return
                self._tried += 1
                self._times.append(time.monotonic())
                if isinstance(outcome, BatchItem):
                    self._items.append(self._within_bounds(outcome))
                elif outcome is not None:
                    self._failed.append(outcome)
        progress(1.0, "done")

    @property
    def stopping(self) -> bool:
        """Whether it was told to stop, for a parse that waits for its turn."""
        return self._released or self._stop()

    def snapshot(self) -> Snapshot:
        """How far it is, and what there is so far."""
        with self._lock:
            spent = self._times[-1] - self._times[0] if self._times else 0.0
            rate = (len(self._times) - 1) / spent if spent > 0 else 0.0
            left = self._total - self._tried
            return Snapshot(
                items=tuple(self._items),
                failed=tuple(self._failed),
                total=self._total,
                tried=self._tried,
                rate=rate,
                seconds_left=left / rate if rate > 0 else None,
                masks_dropped=self._masks_dropped,
            )

    def table(self) -> pd.DataFrame:
        """The tidy table so far: a row a photo, face and region. Not to be changed."""
        with self._lock:
            new = [photo.rows for photo in self._items[self._in_table :] if len(photo.rows)]
            # Only what is new is joined on: joining thousands of small tables takes seconds.
            if new:
                old = [self._table] if len(self._table) else []
                self._table = pd.concat([*old, *new], ignore_index=True)
            self._in_table = len(self._items)
            return self._table

    def read(self, name: str) -> bytes:
        """A photo's bytes as they came.

        Raises:
            ImageError: they are not at hand any more.
            ArchiveError: they cannot be read from their zip.
        """
        source = self._sources.get(name)
        if source is None:
            raise ImageError("This photo is not at hand any more. Add it again.")
        return source.read()

    def release(self) -> None:
        """Let go of everything; a run that is at work ends after its photo."""
        with self._lock:
            self._released = True
            self._parse = None
            self._sources.clear()
            self._items.clear()
            self._failed.clear()
            self._seen.clear()
            self._table = self._table.iloc[:0].copy()
            self._in_table = 0

    def _one(self, number: int, source: Source) -> BatchItem | SkippedFile | None:
        parse = self._parse
        if parse is None:
            return None

        def kept(photo: Photo, parsing: Parsing) -> BatchItem:
            return keep(measured(photo, parsing, source.name), number, source.name)

        try:
            data = source.read()
            first = self._seen.setdefault(hashlib.sha256(data).hexdigest(), source.name)
            if first != source.name:
                return SkippedFile(
                    source.name, f"The same photo as {first}, which is counted once."
                )
            return parse(data, kept)
        except (ImageError, ArchiveError) as error:
            return SkippedFile(source.name, str(error))
        except Cancelled:
            raise
        except Exception as error:
            return unforeseen(source.name, error)

    def _within_bounds(self, item: BatchItem) -> BatchItem:
        taken = len(item.mask_png) + len(item.covered_png)
        if taken <= self._mask_room:
            self._mask_room -= taken
            return item
        self._masks_dropped += 1
        return dataclasses.replace(item, mask_png=b"", covered_png=b"")


def unforeseen(name: str, error: Exception) -> SkippedFile:
    """A failure that no reader of files foresaw: a sentence, and the trace without the name."""
    if isinstance(error, EngineError):
        return SkippedFile(name, str(error))
    if isinstance(error, MemoryError):
        return SkippedFile(name, "There is not enough memory for this photo. Use a smaller copy.")
    _log.error("A photo of a batch failed: %s", type(error).__name__)
    return SkippedFile(name, "It could not be parsed. Open it in Explore to see more.")
