"""Log lines, to the letter."""

import pytest

from paddlepose.engine import report
from paddlepose.engine.report import Average, Meters, train_line
from paddlepose.metrics import markdown


def average(value, mean):
    return Average(value, mean, 1)


def meters(fields):
    return Meters(
        time=average(fields["time"], fields["time_avg"]),
        data=average(fields.get("data", 0), fields.get("data_avg", 0)),
        loss=average(fields["loss"], fields["loss_avg"]),
        accuracy=average(fields["acc"], fields["acc_avg"]),
        rate=average(fields.get("lr", 0), fields.get("lr", 0)),
    )


@pytest.mark.parametrize("case", range(2))
def test_train_line_golden(golden, case):
    """goldens/topdown/log_lines.json: the training line with the time that is left."""
    row = golden("topdown/log_lines.json")["train"][case]
    fields = row["fields"]
    line = train_line(
        meters(fields),
        epoch=fields["epoch"],
        step=fields["iter"],
        steps=fields["iters"],
        end_epoch=fields["end_epoch"],
        batch=fields["batch"],
    )
    assert line == row["text_paddle_later"]


@pytest.mark.parametrize("case", range(2))
def test_test_line_golden(golden, case):
    """goldens/topdown/log_lines.json: the validation line."""
    row = golden("topdown/log_lines.json")["test"][case]
    fields = row["fields"]
    assert report.test_line(meters(fields), step=fields["iter"], steps=fields["iters"]) == row["text"]


def test_table_golden(golden):
    """goldens/topdown/log_lines.json: result tables."""
    for row in golden("topdown/log_lines.json")["table"]:
        assert markdown(row["arch"], row["values"]) == row["lines"]


def test_average_is_weighted():
    loss = Average()
    loss.add(1.0, 3)
    loss.add(5.0, 1)
    assert (loss.value, loss.mean) == (5.0, 2.0)
    assert Average().mean == 0
