"""`paddlepose demo`: the package's own models on a photograph that comes with it."""

import time
from collections.abc import Sequence
from pathlib import Path

from paddlepose.commands import deploy
from paddlepose.commands._parser import Parser

_PHOTO = Path(__file__).parents[1] / "shipped" / "skier.jpg"


def main(argv: Sequence[str]) -> int:
    """Exit status after the picture with its skeletons is written."""
    parser = Parser("demo", __doc__)
    parser.add_argument("--out", type=Path, default=Path("output/demo"), help="folder of the results (%(default)s)")
    out = parser.parse_args(argv).out
    begin = time.perf_counter()
    status = deploy.main(["--img", str(_PHOTO), "--out", str(out)])
    print(f"=> {time.perf_counter() - begin:.1f} s; the picture: {out / f'{_PHOTO.stem}_result.jpg'}")
    print("=> your own: paddlepose deploy --img photo.jpg")
    return status
