from __future__ import annotations

import threading

import pytest

from bisenet.images.decode import MAX_PIXELS
from bisenet.parse_queue import places
from bisenet.runtime.admission import ParseQueue, QueueFull, process_queue


class Visitor(threading.Thread):
    """Enters a queue, notes its positions there, and stays until told to leave."""

    def __init__(
        self,
        queue: ParseQueue,
        order: list[int | str],
        name: int | str,
        places: int = 1,
        client: str = "",
    ):
        super().__init__(daemon=True)
        self.queue, self.order, self.called = queue, order, name
        self.takes, self.client = places, client
        self.places: list[int] = []
        self.waits, self.inside, self.leave = (threading.Event() for _ in range(3))
        self.start()

    def run(self) -> None:
        with self.queue.admit(self.stand, self.takes, self.client):
            self.order.append(self.called)
            self.inside.set()
            assert self.leave.wait(30)

    def stand(self, place: int) -> None:
        self.places.append(place)
        self.waits.set()

    def in_queue(self) -> Visitor:
        """Itself, once it waits."""
        assert self.waits.wait(10)
        return self

    def in_turn(self) -> Visitor:
        """Itself, once it is inside."""
        assert self.inside.wait(10)
        return self

    def go(self) -> None:
        self.leave.set()
        self.join(10)


def test_first_come_first_served_and_everyone_sees_their_place() -> None:
    queue, order = ParseQueue(max_running=1, max_waiting=3), list[int | str]()
    visitors = [Visitor(queue, order, 0).in_turn()]
    visitors += [Visitor(queue, order, number).in_queue() for number in (1, 2, 3)]
    for number, visitor in enumerate(visitors):
        visitor.in_turn()
        assert order == list(range(number + 1))
        visitor.go()
    assert visitors[0].places == []
    assert visitors[3].places[0] == 3
    assert visitors[3].places[-1] == 0, "its turn came"
    assert visitors[3].places == sorted(visitors[3].places, reverse=True)
    assert (queue.running, queue.waiting) == (0, 0)


def test_a_full_queue_refuses_at_once_with_a_sentence() -> None:
    queue, order = ParseQueue(max_running=1, max_waiting=1), list[int | str]()
    visitors = [Visitor(queue, order, 0).in_turn(), Visitor(queue, order, 1).in_queue()]
    with pytest.raises(QueueFull, match="Try again in a moment"), queue.admit():
        pass
    assert (queue.running, queue.waiting, order) == (1, 1, [0]), "nothing had to move for that"
    for visitor in visitors:
        visitor.go()


def test_who_leaves_the_queue_frees_the_place() -> None:
    queue = ParseQueue(max_running=1, max_waiting=2)
    inside = Visitor(queue, [], 0).in_turn()

    def gone(place: int) -> None:
        raise ConnectionError

    with pytest.raises(ConnectionError), queue.admit(gone):
        pass
    assert queue.waiting == 0
    inside.go()
    with queue.admit():
        assert queue.running == 1


def test_who_leaves_when_the_turn_comes_frees_the_place() -> None:
    queue = ParseQueue(max_running=1)
    inside = Visitor(queue, [], 0).in_turn()

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
    queue = ParseQueue(max_running=2)
    visitors = [Visitor(queue, [], number).in_turn() for number in range(2)]
    assert queue.running == 2
    for visitor in visitors:
        visitor.go()


def test_a_large_photo_waits_for_all_places_and_nobody_passes_it() -> None:
    queue, order = ParseQueue(max_running=2), list[int | str]()
    small = Visitor(queue, order, 0).in_turn()
    large = Visitor(queue, order, 1, places=5).in_queue()  # more than there are is all of them
    behind = [Visitor(queue, order, number).in_queue() for number in (2, 3)]
    small.go()
    large.in_turn()
    assert (order, queue.running, queue.waiting) == ([0, 1], 1, 2)
    large.go()
    for visitor in behind:
        visitor.in_turn()
    assert (sorted(order[2:]), queue.running) == ([2, 3], 2)
    for visitor in behind:
        visitor.go()
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
    queue, order = ParseQueue(max_running=1, max_waiting=10), list[int | str]()
    with queue.admit(client="greedy"):
        visitors = [
            Visitor(queue, order, client, client=client).in_queue()
            for client in ["greedy"] * 4 + ["polite"]
        ]
        for visitor in visitors:
            visitor.leave.set()
    for visitor in visitors:
        visitor.join(10)
    assert order == ["polite", "greedy", "greedy", "greedy", "greedy"]


def test_no_client_fills_the_queue() -> None:
    queue = ParseQueue(max_running=1, max_waiting=6)
    with queue.admit(client="greedy"):
        visitors = [Visitor(queue, [], n, client="greedy").in_queue() for n in range(3)]
        with pytest.raises(QueueFull), queue.admit(client="greedy"):
            pass
        visitors.append(Visitor(queue, [], "polite", client="polite").in_queue())
        assert queue.waiting == 4
        for visitor in visitors:
            visitor.leave.set()
    for visitor in visitors:
        visitor.join(10)
    assert (queue.running, queue.waiting) == (0, 0)
