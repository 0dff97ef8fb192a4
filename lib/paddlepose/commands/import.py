"""A labelling tool's export to a set that trains: `paddlepose import PATH --out data/x [--val 0.2 --seed 0]`."""

from collections.abc import Sequence
from pathlib import Path

from paddlepose import plugins
from paddlepose.commands._parser import Parser
from paddlepose.core.files import entry
from paddlepose.importers import Found, _place, _split, _write
from paddlepose.importers._place import Place


def main(argv: Sequence[str]) -> int:
    """Run the command; its exit status."""
    parser = Parser("import", "Read the export of a labelling tool; write a data set and an experiment.")
    parser.add_argument("path", type=Path, help="the export: a folder, a zip archive or a file, with its images")
    parser.add_argument("--out", type=Path, required=True, help="folder to make, such as data/hands")
    parser.add_argument(
        "--val", type=float, help="share of the images to measure on; else the export's own split or 0.2"
    )
    parser.add_argument("--seed", type=int, default=0, help="another one chooses others")
    parser.add_argument(
        "--group-by", metavar="folder|REGEX", help="keep together a folder's images, or names that begin alike"
    )
    parser.add_argument(
        "--category", action="append", default=[], help="what to take, if people of several are labelled"
    )
    arguments = parser.parse_args(argv)
    out = arguments.out
    if out.exists():
        raise ValueError(f"--out {out}: is there already; name another folder, or remove it")
    if arguments.val is not None and not 0 < arguments.val < 1:
        raise ValueError(f"--val {arguments.val}: expected a share between 0 and 1")
    with _place.opened(arguments.path, beside=out.parent) as place:
        found = _read(place, arguments.path, arguments.category)
        group_of = _split.grouping(arguments.group_by)
        pictures = _split.split(_write.usable(found), group_of, arguments.val, arguments.seed)
        lines = _write.write(found, pictures, out)
    for line in lines:
        print(f"=> {line}")
    print(f"=> {out}; train on it: paddlepose train --cfg {out / out.name}.yaml")
    return 0


def _read(place: Place, path: Path, wanted: Sequence[str]) -> Found:
    """What the one importer that knows the files makes of them. Raises ValueError: none does, or several do."""
    importers = [plugins.find("importers", name) for name in plugins.names("importers")]
    known = [(importer, files) for importer in importers if (files := importer.find(place))]
    if not known:
        titles = ", ".join(importer.TITLE for importer in importers)
        raise ValueError(
            f"{path}: holds no labels of a form that is known: {titles}; docs/data.md says what each looks like"
        )
    if known[1:]:
        holds = " and ".join(f"{importer.TITLE} ({files[0].name})" for importer, files in known)
        raise ValueError(f"{path}: holds labels of several forms: {holds}; name the file to import")
    importer, files = known[0]
    with entry(str(path)):
        return importer.read(files, place, wanted)
