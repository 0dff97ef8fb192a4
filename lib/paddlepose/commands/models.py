"""`paddlepose models`: the models that can be named wherever a file is taken."""

from collections.abc import Sequence

from paddlepose import zoo
from paddlepose.commands._parser import Parser

_HEADINGS = ("name", "use", "input", "data", "figure", "licence", "from", "here")


def main(argv: Sequence[str]) -> int:
    """Exit status after the table is printed."""
    parser = Parser("models", __doc__)
    parser.parse_args(argv)
    lines = [_HEADINGS, *map(_cells, zoo.table().values())]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
    print(
        f"\nUse a name wherever a model's file is taken: --model, --detector, --model-file, convert, paddlepose.load,\n"
        f"MODEL.PRETRAINED. A file is fetched when you first name it, and kept in {zoo.folder()}"
    )
    return 0


def _cells(row: zoo.Row) -> tuple[str, ...]:
    sizes = [path.stat().st_size for path in {row.file, row.onnx} if path.is_file()]
    here = f"{sum(sizes) / 1e6:.0f} MB" if sizes else "-"
    return row.name, row.kind, row.size or "-", row.data, row.figure or "-", row.licence, row.source, here
