from __future__ import annotations

from bisenet.runtime.fairness import Rounds, Shares


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def take_all(shares: Shares, client: str) -> int:
    count = 0
    while shares.take(client):
        count += 1
    return count


class TestRounds:
    def test_a_client_with_one_request_is_before_the_second_of_one_with_many(self) -> None:
        rounds = Rounds()
        greedy = [rounds.tag("greedy", 1) for _ in range(5)]
        polite = rounds.tag("polite", 1)
        assert greedy == [0, 1, 2, 3, 4]
        assert greedy[0] <= polite < greedy[1]

    def test_who_waits_long_is_not_overtaken_for_ever(self) -> None:
        rounds = Rounds()
        [rounds.tag("greedy", 1) for _ in range(3)]
        served = []
        for _ in range(5):
            newcomer = rounds.tag("polite", 1)
            served.append(newcomer)
            rounds.reached(newcomer)
        assert served == [0, 1, 2, 3, 4], "each of its own stands one round later"

    def test_a_large_photo_costs_more(self) -> None:
        rounds = Rounds()
        rounds.tag("large", 2)
        rounds.tag("small", 1)
        assert rounds.tag("large", 2) > rounds.tag("small", 1)

    def test_those_of_nobody_go_by_arrival(self) -> None:
        rounds = Rounds()
        assert [rounds.tag("", 1) for _ in range(3)] == [0, 0, 0]

    def test_clients_are_forgotten(self) -> None:
        rounds = Rounds()
        for number in range(1000):
            rounds.reached(rounds.tag(str(number), 1))
            rounds.reached(number + 1)
        assert len(rounds._next) <= 1


class TestShares:
    def test_one_gets_half_two_a_third_and_a_newcomer_finds_some(self) -> None:
        shares = Shares(30)
        assert take_all(shares, "a") == 15
        assert take_all(shares, "b") == 8
        assert take_all(shares, "c") == 4
        assert shares.taken == 27
        assert shares.take("polite")

    def test_places_come_back(self) -> None:
        shares = Shares(2)
        assert take_all(shares, "a") == 1
        shares.give_back("a")
        assert shares.taken == 0
        assert shares.take("a")

    def test_nobodys_are_bound_by_the_total(self) -> None:
        shares = Shares(3)
        assert [shares.take() for _ in range(4)] == [True, True, True, False]

    def test_who_comes_back_when_told_finds_a_place_kept(self) -> None:
        clock = Clock()
        shares = Shares(4, clock)
        crowd = [str(number) for number in range(4)]
        assert all(shares.take(client) for client in crowd)
        assert not shares.take("polite")
        assert not shares.promise("polite", 10)
        clock.now += 10
        shares.give_back("0")
        assert not shares.take("greedy"), "the place is another's"
        assert shares.take("polite")

    def test_who_comes_back_early_is_told_again_and_nothing_is_kept(self) -> None:
        clock = Clock()
        shares = Shares(4, clock)
        for number in range(4):
            shares.take(str(number))
        shares.promise("greedy", 10)
        clock.now += 1
        assert not shares.take("greedy")
        assert shares.promise("greedy", 10), "too early"
        clock.now += 10
        shares.give_back("0")
        assert shares.take("other")

    def test_who_holds_places_is_kept_none_and_gets_no_more_than_a_share_by_waiting(self) -> None:
        clock = Clock()
        shares = Shares(4, clock)
        assert take_all(shares, "greedy") == 2
        assert not shares.promise("greedy", 10)
        clock.now += 10
        assert not shares.take("greedy")

    def test_a_place_is_kept_for_some_seconds_only(self) -> None:
        clock = Clock()
        shares = Shares(1, clock)
        shares.take("a")
        shares.promise("gone", 2)
        shares.give_back("a")
        clock.now += 2
        assert not shares.take("b")
        clock.now += 6
        assert shares.take("b")

    def test_no_more_than_a_quarter_is_kept_however_many_ask(self) -> None:
        clock = Clock()
        shares = Shares(8, clock)
        for number in range(100):
            shares.promise(f"stranger {number}", 1)
        clock.now += 1
        assert sum(shares.take(f"new {number}") for number in range(20)) == 6

    def test_what_was_told_is_forgotten(self) -> None:
        clock = Clock()
        shares = Shares(8, clock)
        for number in range(1000):
            clock.now += 1
            shares.promise(str(number), 1)
        assert len(shares._promises) < 20
