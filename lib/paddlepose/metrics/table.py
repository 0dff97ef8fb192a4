"""The figures of a model as a Markdown table."""

from collections.abc import Mapping


def markdown(arch: str, figures: Mapping[str, float]) -> list[str]:
    """Lines of a table with one row: the architecture's name, then the figures to three decimals."""
    names = ("Arch", *figures)
    values = (arch, *(f"{value:.3f}" for value in figures.values()))
    return [_row(names), "|" + "---|" * len(names), _row(values)]


def _row(cells: tuple[str, ...]) -> str:
    return f"| {' | '.join(cells)} |"
