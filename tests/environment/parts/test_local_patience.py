"""Patience: a thing is waited for as long as it moves, and not for ever."""

from __future__ import annotations

from collections.abc import Hashable

from local.patience import GivenUp, Patience


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def looks(*states: Hashable, every: float = 10.0) -> GivenUp | None:
    """What becomes of one thing with these states, one look each."""
    clock = Clock()
    patience = Patience(30.0, 100.0, clock)
    for state in states:
        given_up = patience.look({"it": state})
        if given_up:
            return given_up
        clock.now += every
    return None


def test_what_does_not_move_is_given_up_after_its_time() -> None:
    assert looks("a", "a", "a") is None
    assert looks("a", "a", "a", "a") == GivenUp("it", "has not moved for 30 s")


def test_each_movement_begins_the_time_anew() -> None:
    assert looks(*"aaabbbccc") is None
    assert looks(*"aaabbbb") == GivenUp("it", "has not moved for 30 s")


def test_what_moves_for_ever_is_given_up_in_the_end() -> None:
    assert looks(*range(10)) is None
    assert looks(*range(11)) == GivenUp("it", "moves, but is not there after 2 min")


def test_each_thing_has_its_own_time() -> None:
    clock = Clock()
    patience = Patience(30.0, 100.0, clock)
    for step in range(3):
        assert patience.look({"moves": step, "still": "a"}) is None
        clock.now += 10
    assert patience.look({"moves": 3, "still": "a"}) == GivenUp("still", "has not moved for 30 s")


def test_time_in_which_nothing_was_looked_at_hardly_counts() -> None:
    clock = Clock()
    patience = Patience(90.0, 1000.0, clock)
    assert patience.look({"it": "a"}) is None
    clock.now += 3600
    assert patience.look({"it": "a"}) is None
