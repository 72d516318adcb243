"""What many sessions' parsed photos may hold together."""

from __future__ import annotations

import gc
import threading
from dataclasses import dataclass

import pytest

from bisenet.dashboard.session.gallery import Gallery
from bisenet.dashboard.session.view_store import Key, ViewStore, view_bytes
from bisenet.runtime.cgroup import memory_limit


@dataclass(frozen=True)
class Weight:
    nbytes: int


def key(photo: str) -> Key:
    return (photo, "w", None)


def kept(store: ViewStore[Weight], owner: object, *photos: str) -> list[str]:
    return [photo for photo in photos if store.get(owner, key(photo))]


def test_of_all_owners_the_view_looked_at_longest_ago_goes_first() -> None:
    store, anna, ben = ViewStore[Weight](30), object(), object()
    store.put(anna, key("a"), Weight(10), 100)
    store.put(ben, key("b"), Weight(10), 100)
    store.put(anna, key("c"), Weight(10), 100)
    store.get(anna, key("a"))
    store.put(anna, key("d"), Weight(10), 100)
    assert kept(store, ben, "b") == []
    assert kept(store, anna, "a", "c", "d") == ["a", "c", "d"]


def test_an_owner_is_bounded_by_itself_and_the_newest_always_stays() -> None:
    store, anna, ben = ViewStore[Weight](30), object(), object()
    store.put(ben, key("b"), Weight(5), 100)
    for photo in "acd":
        store.put(anna, key(photo), Weight(10), 20)
    assert kept(store, anna, "a", "c", "d") == ["c", "d"]
    assert kept(store, ben, "b") == ["b"]
    store.put(anna, key("large"), Weight(99), 20)
    assert kept(store, anna, "c", "d", "large") == ["large"]


def test_a_photo_or_all_of_an_owner_can_be_forgotten() -> None:
    store, anna, ben = ViewStore[Weight](100), object(), object()
    for owner in (anna, ben):
        for weights in ("w", "v"):
            store.put(owner, ("a", weights, None), Weight(1), 100)
        store.put(owner, key("c"), Weight(1), 100)
    store.forget(anna, "a")
    assert kept(store, anna, "a", "c") == ["c"]
    assert store.get(anna, ("a", "v", None)) is None
    store.forget(anna)
    assert kept(store, anna, "a", "c") == []
    assert kept(store, ben, "a", "c") == ["a", "c"]


def test_views_end_with_their_gallery() -> None:
    store: ViewStore[Weight] = ViewStore(100)
    gallery = Gallery(views=store)  # type: ignore[arg-type]
    gallery.view("a", "w", lambda: Weight(7))  # type: ignore[arg-type, return-value]
    assert len(store) == 1
    del gallery
    gc.collect()
    assert len(store) == 0


def test_many_threads_at_once() -> None:
    store = ViewStore[Weight](50)

    def live(owner: object) -> None:
        for number in range(300):
            store.put(owner, key(str(number % 7)), Weight(10), 30)
            store.get(owner, key("3"))
            if number % 50 == 0:
                store.forget(owner)

    people = [threading.Thread(target=live, args=(object(),)) for _ in range(8)]
    for person in people:
        person.start()
    for person in people:
        person.join()
    assert 0 < len(store) <= 5


def test_the_environment_or_the_memory_says_how_much(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BISENET_VIEWS_MB", raising=False)
    limit = memory_limit()
    assert limit is not None
    assert view_bytes() == limit // 4
    monkeypatch.setenv("BISENET_VIEWS_MB", "300")
    assert view_bytes() == 300 * 2**20
    monkeypatch.setenv("BISENET_VIEWS_MB", "much")
    with pytest.raises(ValueError, match="BISENET_VIEWS_MB must be a whole number"):
        view_bytes()
