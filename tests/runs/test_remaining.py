"""A run says how long it will still take, and says nothing where it cannot know."""

import time

from mmst.runs.remaining import seconds_left

ROUND_0 = {"round": 0, "seconds": {"train": 500.0, "evaluate": 10.0, "promote": 0.0}}
ROUND_1 = {"round": 1, "seconds": {"generate": 60.0, "filter": 2.0, "train": 100.0, "evaluate": 10.0, "promote": 0.0}}


def test_nothing_is_said_before_a_round_with_solutions_has_ended() -> None:
    now = {"round": 1, "stage": "generate", "done": 1, "total": 2, "per_second": 1.0}
    assert seconds_left([ROUND_0], 3, now) is None
    assert seconds_left([ROUND_0, {"round": 1, "seconds": {"generate": 60.0}}], 3, now) is None
    assert seconds_left([ROUND_0, ROUND_1], 3, None) is None


def test_the_rest_of_the_round_and_whole_rounds_to_come_are_counted() -> None:
    now = {"round": 2, "stage": "train", "began": time.time() - 40}
    left = seconds_left([ROUND_0, ROUND_1], 3, now)
    assert left is not None
    assert abs(left - (60 + 10 + 172)) < 1


def test_a_stage_that_takes_longer_than_last_time_goes_by_its_pace() -> None:
    now = {"round": 3, "stage": "generate", "began": time.time() - 300, "done": 100, "total": 300, "per_second": 2.0}
    left = seconds_left([ROUND_0, ROUND_1], 3, now)
    assert left is not None
    assert abs(left - (100 + 2 + 100 + 10)) < 1
