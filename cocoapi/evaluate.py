"""Score a results file against an annotation file: COCO's or CrowdPose's figures as a Markdown table.

python cocoapi/evaluate.py --gt annotations.json --results results.json [--kind crowdpose] [--sigmas 0.05,0.05,...]
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from paddlepose.metrics import markdown
from paddlepose.metrics.coco import evaluate


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; what cannot be read is one line on the error stream and exit status 1."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--gt", type=Path, required=True, help="annotation file in COCO's format")
    parser.add_argument("--results", type=Path, required=True, help="list of image_id, category_id, keypoints, score")
    parser.add_argument("--kind", choices=("coco", "crowdpose"), default="coco", help="whose figures (default: coco)")
    parser.add_argument("--sigmas", help="fall-off of each joint with commas between, where the joints are others")
    options = parser.parse_args(arguments)
    try:
        figures = evaluate(options.gt, options.results, options.kind, parsed_sigmas(options.sigmas))
    except (OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print("\n".join(markdown(options.results.stem, figures)))
    return 0


def parsed_sigmas(text: str | None) -> list[float] | None:
    """Numbers of a list with commas; None for none.

    Raises:
        ValueError: a part is no number.
    """
    if text is None:
        return None
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise ValueError(f"--sigmas {text}: expected numbers with commas between, one for each joint") from None


if __name__ == "__main__":
    sys.exit(main())
