"""The Markdown table of figures."""

import pytest

from paddlepose.metrics import markdown


@pytest.mark.parametrize("case", range(2))
def test_table_equals_the_golden(golden, case):
    table = golden("topdown/log_lines.json")["table"][case]
    assert markdown(table["arch"], table["values"]) == table["lines"]


def test_one_figure():
    assert markdown("net", {"Null": 0.0}) == ["| Arch | Null |", "|---|---|", "| net | 0.000 |"]
