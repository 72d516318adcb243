from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from bisenet.images.decode import MAX_PIXELS
from bisenet.parse_queue import places
from bisenet.runtime.admission import ParseQueue, QueueFull, process_queue


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


class Visitor(threading.Thread):
    """Enters a queue, notes its positions there, and stays until told to leave."""

    def __init__(self, queue: ParseQueue, order: list[int], number: int, places: int = 1):
        super().__init__(daemon=True)
        self.queue, self.order, self.number = queue, order, number
        self.takes = places
        self.places: list[int] = []
        self.leave = threading.Event()
        self.start()

    def run(self) -> None:
        with self.queue.admit(self.places.append, self.takes):
            self.order.append(self.number)
            self.leave.wait(10)


def test_first_come_first_served_and_everyone_sees_their_place() -> None:
    queue, order = ParseQueue(max_running=1, max_waiting=3), list[int]()
    visitors = []
    for number in range(4):
        visitors.append(Visitor(queue, order, number))
        until(lambda n=number: queue.running + queue.waiting == n + 1)  # type: ignore[misc]
    for number, visitor in enumerate(visitors):
        until(lambda n=number: len(order) == n + 1)  # type: ignore[misc]
        visitor.leave.set()
    for visitor in visitors:
        visitor.join(10)
    assert order == [0, 1, 2, 3]
    assert visitors[0].places == []
    assert visitors[3].places[0] == 3
    assert visitors[3].places[-1] == 0, "its turn came"
    assert visitors[3].places == sorted(visitors[3].places, reverse=True)
    assert (queue.running, queue.waiting) == (0, 0)


def test_a_full_queue_refuses_at_once_with_a_sentence() -> None:
    queue, order = ParseQueue(max_running=1, max_waiting=1), list[int]()
    inside = Visitor(queue, order, 0)
    until(lambda: queue.running == 1)
    waiting = Visitor(queue, order, 1)
    until(lambda: queue.waiting == 1)
    start = time.monotonic()
    with pytest.raises(QueueFull, match="Try again in a moment"), queue.admit():
        pass
    assert time.monotonic() - start < 1
    for visitor in (inside, waiting):
        visitor.leave.set()
        visitor.join(10)


def test_who_leaves_the_queue_frees_the_place() -> None:
    queue, order = ParseQueue(max_running=1, max_waiting=2), list[int]()
    inside = Visitor(queue, order, 0)
    until(lambda: queue.running == 1)

    def gone(place: int) -> None:
        raise ConnectionError

    with pytest.raises(ConnectionError), queue.admit(gone):
        pass
    assert queue.waiting == 0
    inside.leave.set()
    inside.join(10)
    with queue.admit():
        assert queue.running == 1


def test_who_leaves_when_the_turn_comes_frees_the_place() -> None:
    queue, order = ParseQueue(max_running=1), list[int]()
    inside = Visitor(queue, order, 0)
    until(lambda: queue.running == 1)

    def gone(place: int) -> None:
        inside.leave.set()
        if place == 0:
            raise ConnectionError

    with pytest.raises(ConnectionError), queue.admit(gone):
        pass
    assert (queue.running, queue.waiting) == (0, 0)


def test_an_error_inside_lets_the_next_in() -> None:
    queue = ParseQueue()
    with pytest.raises(RuntimeError), queue.admit():
        raise RuntimeError
    assert queue.running == 0


def test_two_may_run() -> None:
    queue, order = ParseQueue(max_running=2), list[int]()
    visitors = [Visitor(queue, order, n) for n in range(2)]
    until(lambda: queue.running == 2)
    for visitor in visitors:
        visitor.leave.set()
        visitor.join(10)


def test_a_large_photo_waits_for_all_places_and_nobody_passes_it() -> None:
    queue, order = ParseQueue(max_running=2), list[int]()
    visitors = [Visitor(queue, order, 0)]
    until(lambda: queue.running == 1)
    for number, takes in ((1, 5), (2, 1), (3, 1)):  # more than there are is all of them
        visitors.append(Visitor(queue, order, number, takes))
        until(lambda n=number: queue.waiting == n)  # type: ignore[misc]
    visitors[0].leave.set()
    until(lambda: order == [0, 1])
    assert (queue.running, queue.waiting) == (1, 2)
    visitors[1].leave.set()
    until(lambda: queue.running == 2)
    assert sorted(order) == [0, 1, 2, 3]
    for visitor in visitors:
        visitor.leave.set()
        visitor.join(10)
    assert (queue.running, queue.waiting) == (0, 0)


def test_photos_take_places_by_their_share_of_the_largest() -> None:
    two, four = ParseQueue(max_running=2), ParseQueue(max_running=4)
    assert [places(two, n) for n in (0, 1, MAX_PIXELS // 2, MAX_PIXELS // 2 + 1)] == [1, 1, 1, 2]
    assert [places(four, n) for n in (MAX_PIXELS // 4, MAX_PIXELS // 2, MAX_PIXELS)] == [1, 2, 4]


def test_the_environment_sets_the_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BISENET_MAX_RUNNING", "3")
    monkeypatch.setenv("BISENET_MAX_WAITING", "0")
    queue = process_queue.__wrapped__()
    assert (queue.max_running, queue.max_waiting) == (3, 0)
    monkeypatch.setenv("BISENET_MAX_RUNNING", "many")
    with pytest.raises(ValueError, match="BISENET_MAX_RUNNING must be a whole number"):
        process_queue.__wrapped__()
    with pytest.raises(ValueError, match="at least one"):
        ParseQueue(0)


def test_a_greedy_client_waits_in_turn_with_a_polite_one() -> None:
    queue, order = ParseQueue(max_running=1, max_waiting=10), list[str]()
    visitors: list[threading.Thread] = []

    def visit(client: str) -> None:
        with queue.admit(client=client):
            order.append(client)

    with queue.admit(client="greedy"):
        for count, client in enumerate(["greedy"] * 4 + ["polite"], start=1):
            visitors.append(threading.Thread(target=visit, args=(client,), daemon=True))
            visitors[-1].start()
            until(lambda n=count: queue.waiting == n)  # type: ignore[misc]
    for visitor in visitors:
        visitor.join(10)
    assert order == ["polite", "greedy", "greedy", "greedy", "greedy"]


def test_no_client_fills_the_queue() -> None:
    queue = ParseQueue(max_running=1, max_waiting=6)
    inside = [threading.Event()]

    def visit(client: str) -> None:
        with queue.admit(client=client):
            inside[0].wait(10)

    threads = [threading.Thread(target=visit, args=("greedy",), daemon=True) for _ in range(4)]
    for count, thread in enumerate(threads, start=1):
        thread.start()
        until(lambda n=count: queue.running + queue.waiting == n)  # type: ignore[misc]
    with pytest.raises(QueueFull), queue.admit(client="greedy"):
        pass
    threads.append(threading.Thread(target=visit, args=("polite",), daemon=True))
    threads[-1].start()
    until(lambda: queue.waiting == 4)
    inside[0].set()
    for thread in threads:
        thread.join(10)
    assert (queue.running, queue.waiting) == (0, 0)
