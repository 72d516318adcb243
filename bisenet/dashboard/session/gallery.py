"""The photos of one session, in memory only: bounded, oldest out first.

Faces are sensitive: nothing here is written to disk or to a log, and all of it ends with the
session. No Streamlit either, so that it can be tested without a browser.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import weakref
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bisenet import parse_queue
from bisenet.dashboard.picture import Picture, pack
from bisenet.dashboard.session.view_store import ViewStore
from bisenet.geometry.boxes import Box
from bisenet.images.decode import display_name, upright_size
from bisenet.measure.regions import LeftOut, measure_regions, of_people
from bisenet.output import encode
from bisenet.parser import MAX_FACES, Parsing

MAX_PHOTOS = 20
MAX_BYTES = 200 * 2**20
THUMBNAIL_PX = 96
# The browser draws at page size and zooms in: more pixels than this would not be seen.
DISPLAY_PIXELS = 12_000_000
# Longer pictures some browsers cannot draw.
DISPLAY_SIDE = 16_384


@dataclass(frozen=True)
class StoredPhoto:
    """A photo as it came: its file's bytes, a safe name, a thumbnail and what people should know.

    ``id`` is the start of the content's SHA-256, so the same photo is kept once. ``file_name`` is
    the name as it came, without its folders: for files that refer to the photo, not to be shown.
    """

    id: str
    name: str
    data: bytes
    thumbnail: bytes
    width: int
    height: int
    notices: tuple[str, ...]
    file_name: str = ""

    @classmethod
    def from_bytes(
        cls,
        data: bytes,
        name: str,
        on_position: Callable[[int], None] | None = None,
        session: str = "",
    ) -> StoredPhoto:
        """Decode a small copy, to check the file and to make the thumbnail.

        Args:
            data, name: the file's.
            on_position, session: as ``parse_queue.parse`` takes them.

        Raises:
            ImageError: not an image, damaged, empty, or too large.
            QueueFull: it has to be decoded whole, and too many wait for that already.
        """
        photo = parse_queue.draft(data, THUMBNAIL_PX, on_position, client=session)
        width, height = upright_size(data)
        small = photo.image
        small.thumbnail((THUMBNAIL_PX, THUMBNAIL_PX))
        out = io.BytesIO()
        small.save(out, format="JPEG", quality=85)
        return cls(
            id=hashlib.sha256(data).hexdigest()[:16],
            name=display_name(name),
            data=data,
            thumbnail=out.getvalue(),
            width=width,
            height=height,
            notices=photo.notices,
            file_name=name.replace("\\", "/").rpartition("/")[2],
        )


@dataclass(frozen=True)
class FaceRequest:
    """What a person asked of a photo's faces.

    ``boxes`` are boxed by hand, in the photo's pixels; None leaves the faces to the search.
    """

    boxes: tuple[Box, ...] | None = None
    max_faces: int = MAX_FACES


@dataclass(frozen=True)
class View:
    """A parsed photo with all that a page shows of it, made once."""

    name: str
    parsing: Parsing
    regions: pd.DataFrame
    picture: Picture
    notices: tuple[str, ...] = ()
    left_out: Mapping[int, tuple[LeftOut, ...]] = dataclasses.field(default_factory=dict)
    _of_faces: dict[int, pd.DataFrame] = dataclasses.field(
        default_factory=dict, repr=False, compare=False
    )

    _entropy: dict[tuple[int, ...], NDArray[np.float16]] = dataclasses.field(
        default_factory=dict, repr=False, compare=False
    )

    @property
    def scale(self) -> float:
        """The shown photo's pixels for each of the photo's own; less than 1 for a large one."""
        return _display_scale(*self.parsing.mask.shape)

    def of_face(self, face_id: int | None) -> View:
        """The same view with one face's labels, probabilities and measurements; all for None.

        A face is measured once: pages ask anew at every click.
        """
        face = next((f for f in self.parsing.faces if f.id == face_id), None)
        if face is None or len(self.parsing.faces) == 1:
            return self
        parsing = dataclasses.replace(self.parsing, mask=face.mask, faces=(face,))
        if face.id not in self._of_faces:
            self._of_faces[face.id] = measure_regions(parsing)
        strange = {i: parts for i, parts in self.left_out.items() if i == face.id}
        return dataclasses.replace(
            self, parsing=parsing, regions=self._of_faces[face.id], left_out=strange
        )

    def entropy(self) -> NDArray[np.float32]:
        """``Parsing.entropy``, kept for the face that was last asked for: pages ask at each click.

        Half precision holds it, bits to a thousandth.
        """
        faces = tuple(face.id for face in self.parsing.faces)
        kept = self._entropy.get(faces)
        if kept is None:
            kept = self.parsing.entropy().astype(np.float16)
            self._entropy.clear()
            self._entropy[faces] = kept
        return kept.astype(np.float32)

    @property
    def nbytes(self) -> int:
        """Memory held, bytes; arrays that several share count once."""
        parsing = self.parsing
        faces = (*parsing.faces, *parsing.views)
        arrays: list[NDArray[Any] | None] = [
            *(parsing.image, parsing.mask, parsing.confidence, parsing.instance_ids),
            *tuple(self._entropy.values()),
            *(array for face in faces for array in (face.labels, face.logits)),
            *(face.wide.logits for face in faces if face.wide is not None),
        ]
        held = {id(array): array.nbytes for array in arrays if array is not None}
        return sum(held.values()) + self.picture.nbytes


def view_of_people(parsing: Parsing, name: str, notices: tuple[str, ...] = ()) -> View:
    """As ``make_view``, of a photo in which each face has its own parts only."""
    own, left_out = of_people(parsing)
    return dataclasses.replace(make_view(own, name, notices), left_out=left_out)


def make_view(parsing: Parsing, name: str, notices: tuple[str, ...] = ()) -> View:
    """Prepare what the pages show of a parsed photo."""
    photo, labels, confidence = _for_display(parsing)
    scale = _display_scale(*parsing.mask.shape)
    boxes = {face.id: _scaled(face.box, scale) for face in parsing.faces}
    picture = Picture(
        encode.photo_jpeg(photo),
        pack(labels),
        name,
        pack(np.round(np.clip(confidence, 0, 1) * 255).astype(np.uint8)),
        boxes,
    )
    return View(name, parsing, measure_regions(parsing), picture, notices)


class _Held:
    """Photos and what was asked of their faces, of one gallery or of several beside each other."""

    def __init__(self) -> None:
        self.photos: OrderedDict[str, StoredPhoto] = OrderedDict()
        self.requests: dict[str, FaceRequest] = {}
        self.last: str | None = None  # looked at, by whomever


class Gallery:
    """The session's photos, newest last, and the parsed views of the ones looked at last.

    At most ``max_photos`` photos or ``max_bytes`` of their files are kept, and as many bytes of
    parsed views; the oldest go first. A view that went is made again when it is next looked at.

    Args:
        views: where the views are kept, with those of other sessions; they end with the gallery.
    """

    def __init__(
        self,
        max_photos: int = MAX_PHOTOS,
        max_bytes: int = MAX_BYTES,
        views: ViewStore[View] | None = None,
    ):
        self.max_photos = max_photos
        self.max_bytes = max_bytes
        self._views = ViewStore[View](max_bytes) if views is None else views
        self._hold(_Held(), object())
        weakref.finalize(self._held, self._views.forget, self._owner)

    def _hold(self, held: _Held, owner: object) -> None:
        self._held, self._owner = held, owner
        self._photos, self._face_requests = held.photos, held.requests
        self._selected = held.last

    def beside(self) -> Gallery:
        """A gallery of the same photos, for another tab: each looks at a photo of its own."""
        other = Gallery.__new__(Gallery)
        other.max_photos, other.max_bytes, other._views = (
            self.max_photos,
            self.max_bytes,
            self._views,
        )
        other._hold(self._held, self._owner)
        return other

    @property
    def selected(self) -> str | None:
        """The id of the photo that is looked at; the newest where that one has gone."""
        if self._selected not in self._photos:
            return next(reversed(self._photos), None)
        return self._selected

    @selected.setter
    def selected(self, photo_id: str | None) -> None:
        self._selected = self._held.last = photo_id

    @property
    def photos(self) -> tuple[StoredPhoto, ...]:
        """The photos, in the order in which they came."""
        return tuple(self._photos.values())

    @property
    def current(self) -> StoredPhoto | None:
        """The photo that is looked at, or None for the sample."""
        return self._photos.get(self.selected) if self.selected else None

    def add(self, photo: StoredPhoto) -> tuple[StoredPhoto, ...]:
        """Keep a photo and look at it; returns the ones that had to go."""
        self._photos.pop(photo.id, None)
        self._photos[photo.id] = photo
        self.selected = photo.id
        dropped = []
        while len(self._photos) > 1 and (
            len(self._photos) > self.max_photos or self._photo_bytes() > self.max_bytes
        ):
            oldest = next(iter(self._photos.values()))
            self.remove(oldest.id)
            dropped.append(oldest)
        return tuple(dropped)

    def remove(self, photo_id: str) -> None:
        """Forget a photo; the newest of the others is looked at next."""
        self._photos.pop(photo_id, None)
        self._face_requests.pop(photo_id, None)
        self._views.forget(self._owner, photo_id)
        if self.selected == photo_id:
            self.selected = next(reversed(self._photos), None)

    def clear(self) -> None:
        """Forget every photo."""
        self._photos.clear()
        self._views.forget(self._owner)
        self._face_requests.clear()
        self.selected = None

    def face_request(self, photo_id: str) -> FaceRequest:
        """What was asked of a photo's faces; the sample has an id too."""
        return self._face_requests.get(photo_id, FaceRequest())

    def request_faces(self, photo_id: str, request: FaceRequest) -> None:
        """Ask for it, from the photo's next view on."""
        self._face_requests[photo_id] = request

    def view(self, photo_id: str, weights: str, make: Callable[[], View]) -> View:
        """The parsed view of a photo under some weights, as asked, made on first use."""
        key = (photo_id, weights, self.face_request(photo_id))
        view = self._views.get(self._owner, key)
        if view is None:
            view = make()
            self._views.put(self._owner, key, view, self.max_bytes)
        return view

    def _photo_bytes(self) -> int:
        return sum(len(photo.data) for photo in self._photos.values())


def _for_display(
    parsing: Parsing,
) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.float32]]:
    height, width = parsing.mask.shape
    size = display_size(height, width)
    if size == (width, height):
        return parsing.image, parsing.labels, parsing.confidence
    return (
        cv2.resize(parsing.image, size, interpolation=cv2.INTER_AREA),
        cv2.resize(parsing.labels, size, interpolation=cv2.INTER_NEAREST),
        cv2.resize(parsing.confidence, size, interpolation=cv2.INTER_AREA),
    )


def display_size(height: int, width: int) -> tuple[int, int]:
    """Width and height at which a photo is shown."""
    scale = _display_scale(height, width)
    return max(1, round(width * scale)), max(1, round(height * scale))


def _scaled(box: Box, scale: float) -> Box:
    x0, y0, x1, y1 = (value * scale for value in box)
    return (x0, y0, x1, y1)


def _display_scale(height: int, width: int) -> float:
    by_area = (DISPLAY_PIXELS / (height * width)) ** 0.5
    return float(min(1.0, by_area, DISPLAY_SIDE / max(height, width)))
