from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from bisenet.dashboard.session.gallery import FaceRequest, Gallery, StoredPhoto, View, make_view
from bisenet.images.decode import ImageError
from bisenet.parser import Parsing


def photo_of(shade: int, name: str = "a.png") -> StoredPhoto:
    out = io.BytesIO()
    Image.new("RGB", (40, 30), (shade, shade, shade)).save(out, format="PNG")
    return StoredPhoto.from_bytes(out.getvalue(), name)


def test_a_photo_is_checked_named_and_thumbnailed() -> None:
    photo = photo_of(9, "../../x.png")
    assert (photo.name, photo.width, photo.height) == ("x.png", 40, 30)
    assert Image.open(io.BytesIO(photo.thumbnail)).format == "JPEG"
    with pytest.raises(ImageError):
        StoredPhoto.from_bytes(b"no", "no.png")


def test_the_newest_is_looked_at_and_the_same_photo_is_kept_once() -> None:
    gallery = Gallery()
    first, second = photo_of(1), photo_of(2)
    gallery.add(first)
    gallery.add(second)
    gallery.add(first)
    assert [p.id for p in gallery.photos] == [second.id, first.id]
    assert gallery.current is not None
    assert gallery.current.id == first.id


def test_the_oldest_go_first_by_number_and_by_bytes() -> None:
    gallery = Gallery(max_photos=3)
    photos = [photo_of(shade) for shade in range(5)]
    dropped = [gone.id for photo in photos for gone in gallery.add(photo)]
    assert dropped == [photos[0].id, photos[1].id]
    small = Gallery(max_bytes=len(photos[0].data) * 2)
    for photo in photos:
        small.add(photo)
    assert len(small.photos) <= 2
    assert small.photos[-1].id == photos[-1].id


def test_removing_moves_on_and_clearing_returns_to_the_sample() -> None:
    gallery = Gallery()
    first, second = photo_of(1), photo_of(2)
    gallery.add(first)
    gallery.add(second)
    gallery.remove(second.id)
    assert gallery.selected == first.id
    gallery.clear()
    assert gallery.current is None
    assert gallery.photos == ()


@pytest.fixture
def maker() -> Callable[[], View]:
    def make() -> View:
        parsing = Parsing(
            np.full((48, 64, 3), 128, np.uint8),
            np.zeros((48, 64), np.uint8),
            np.ones((48, 64), np.float32),
            (),
        )
        return make_view(parsing, "grey")

    return make


def test_a_photo_is_parsed_once_for_each_set_of_weights(maker: Callable[[], View]) -> None:
    gallery, calls = Gallery(), []

    def make() -> View:
        calls.append(1)
        return maker()

    photo = photo_of(1)
    gallery.add(photo)
    for weights in ("one", "one", "two", "one"):
        gallery.view(photo.id, weights, make)
    assert len(calls) == 2
    gallery.remove(photo.id)
    gallery.add(photo)
    gallery.view(photo.id, "one", make)
    assert len(calls) == 3


def test_faces_by_hand_are_part_of_the_view_and_go_with_the_photo(
    maker: Callable[[], View],
) -> None:
    gallery, photo = Gallery(), photo_of(1)
    gallery.add(photo)
    found = gallery.view(photo.id, "w", maker)
    gallery.request_faces(photo.id, FaceRequest(boxes=((1.0, 2.0, 20.0, 25.0),)))
    marked = gallery.view(photo.id, "w", maker)
    assert marked is not found
    assert gallery.view(photo.id, "w", maker) is marked
    gallery.request_faces(photo.id, FaceRequest())
    assert gallery.view(photo.id, "w", maker) is found
    gallery.request_faces(photo.id, FaceRequest(max_faces=100))
    gallery.remove(photo.id)
    assert gallery.face_request(photo.id) == FaceRequest()


def test_views_are_bounded_too(maker: Callable[[], View]) -> None:
    one = maker()
    gallery = Gallery(max_bytes=one.nbytes * 2 + 10)
    photos = [photo_of(shade) for shade in range(4)]
    views = [gallery.view(photo.id, "w", maker) for photo in photos]
    assert gallery.view(photos[-1].id, "w", maker) is views[-1]
    assert gallery.view(photos[0].id, "w", maker) is not views[0]
