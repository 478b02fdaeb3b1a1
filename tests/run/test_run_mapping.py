"""A site's workers as a function that maps."""

from __future__ import annotations

import os

import pytest
from run_functions import die_on_three, process_of

from spotcat.config import Site
from spotcat.run.mapping import mapping
from spotcat.status import RunError


def test_few_items_are_done_here_and_many_by_workers() -> None:
    with mapping(Site("local", workers=2)) as mapper:
        assert {pid for _, pid in mapper(process_of, range(3))} == {os.getpid()}
        many = list(mapper(process_of, range(40)))
        assert sorted(number for number, _ in many) == list(range(40))
        assert os.getpid() not in {pid for _, pid in many}
        # Workers that are there already do little work as well.
        assert os.getpid() not in {pid for _, pid in mapper(process_of, range(3))}
    with mapping(Site("serial")) as mapper:
        assert list(mapper(process_of, range(40))) == [(number, os.getpid()) for number in range(40)]


def test_a_dying_worker_is_one_sentence() -> None:
    with mapping(Site("local", workers=2)) as mapper, pytest.raises(RunError, match="one process"):
        list(mapper(die_on_three, range(20)))
