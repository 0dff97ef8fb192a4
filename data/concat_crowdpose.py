"""CrowdPose's training and validation labels as one file, `crowdpose_trainval.json`, that its networks are trained on.

The categories are those of the training labels; images and annotations are those of both, the training ones first.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from paddlepose.core.files import entry, read_json, written_beside


def concatenate(folder: Path) -> Path:
    """Write the file into the folder that has the others; its path.

    Raises OSError: a file cannot be read or written; ValueError: one is not in COCO's format.
    """
    whole = {}
    for split in ("train", "val"):
        path = folder / f"crowdpose_{split}.json"
        content = read_json(path)
        with entry(str(path)):
            whole.setdefault("categories", content["categories"])
            for key in ("images", "annotations"):
                whole[key] = whole.get(key, []) + content[key]
    with written_beside(folder / "crowdpose_trainval.json") as unfinished:
        unfinished.write_text(json.dumps(whole))
    return folder / "crowdpose_trainval.json"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the script; its exit status."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data_dir", type=Path, default=Path("data/crowdpose/json"), help="folder of the labels")
    try:
        print(f"=> Saved as: {concatenate(parser.parse_args(argv).data_dir)}")
    except FileNotFoundError as error:
        print(f"error: {error.filename}: no such file", file=sys.stderr)
        return 1
    except (OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
