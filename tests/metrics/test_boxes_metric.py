"""Recall and average precision of boxes, counted by hand."""

from pathlib import Path

import numpy as np
import pytest

from paddlepose.core.geometry import Region
from paddlepose.core.types import ImageRecord, Person
from paddlepose.metrics.boxes import Found

BIG, SMALL = [0, 0, 20, 50], [60, 60, 5, 10]


def record(*people):
    made = []
    for box, score in people:
        box = np.array(box, np.float64)
        made.append(Person(np.zeros((1, 3)), Region.from_box(box, 1.0), box, 1.0, score))
    return ImageRecord(0, Path("a.jpg"), tuple(made))


def rows(*boxes):
    return np.array(boxes, np.float64).reshape(-1, 5)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (rows([*BIG, 0.9], [*SMALL, 0.8]), (1.0, 1.0, 1.0)),
        (rows([*BIG, 0.9]), (51 / 101, 0.5, 1.0)),  # of the 101 steps of recall those up to a half
        (rows([*SMALL, 0.9]), (51 / 101, 0.5, 0.0)),
        (rows([90, 90, 5, 5, 0.95], [*BIG, 0.9], [*SMALL, 0.8]), (2 / 3, 1.0, 1.0)),
        (rows([*BIG, 0.9], [*BIG, 0.8], [*SMALL, 0.7]), (51 / 101 + 50 / 101 * 2 / 3, 1.0, 1.0)),  # found twice
        (rows(), (0.0, 0.0, 0.0)),
    ],
)
def test_figures(found, expected):
    metric = Found()
    metric.add(record((BIG, 1.0), (SMALL, 0.9)), found, height=100)
    assert list(metric.compute().values()) == pytest.approx(expected)


def test_doubtful_people_are_neither_found_nor_missed():
    metric = Found()
    metric.add(record((BIG, 1.0), (SMALL, 0.2)), rows([*SMALL, 0.9], [*BIG, 0.8]), height=100)
    assert list(metric.compute().values()) == pytest.approx([1, 1, 1])


def test_without_people_there_is_no_figure():
    metric = Found()
    metric.add(record(), rows([*BIG, 0.9]), height=100)
    assert set(metric.compute().values()) == {-1.0}
