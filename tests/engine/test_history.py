"""The table and the curves of a run."""

import csv

import cv2

from paddlepose.engine.history import History


def rows(folder):
    with (folder / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_row_an_epoch_and_curves(tmp_path):
    history = History(tmp_path, 0)
    history.add(0, {"loss": 0.5})
    history.add(1, {"loss": 0.25, "AP": 0.1234567})
    assert rows(tmp_path) == [
        {"epoch": "0", "loss": "0.5", "AP": ""},
        {"epoch": "1", "loss": "0.25", "AP": "0.123457"},
    ]
    assert cv2.imread(str(tmp_path / "curves.png")).shape[1] == 4 * 3 * 80


def test_a_run_that_goes_on_keeps_the_rows_of_earlier_epochs(tmp_path):
    first = History(tmp_path, 0)
    for epoch in range(3):
        first.add(epoch, {"AP": epoch / 10})
    again = History(tmp_path, 2)
    again.add(2, {"AP": 0.9})
    assert [row["AP"] for row in rows(tmp_path)] == ["0", "0.1", "0.9"]
    new = History(tmp_path, 0)
    new.add(0, {"AP": 0.5})
    assert [row["AP"] for row in rows(tmp_path)] == ["0.5"]


def test_epochs_since_the_best(tmp_path):
    history = History(tmp_path, 0)
    assert history.epochs_without_gain("AP") == 0
    for epoch, (figure, since) in enumerate([(float("-inf"), 0), (0.1, 0), (0.3, 0), (0.3, 1), (0.2, 2), (0.4, 0)]):
        history.add(epoch, {"AP": figure})
        assert history.epochs_without_gain("AP") == since
