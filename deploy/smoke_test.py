"""The whole road in a minute: drawn people, two epochs, ONNX, and poses from a process that cannot import Paddle.

    python deploy/smoke_test.py

The poses that the exported file gives without Paddle must be those of the trained network within 0.01 pixels.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
CONFIG = ROOT / "experiments" / "mini" / "quickstart.yaml"
TOLERANCE = 0.01  # pixels of the picture

BOX = "--bbox", "0,0,160,160"  # the whole of a picture
# A stand-in for a machine without Paddle: importing it fails, as it would there.
WITHOUT_PADDLE = "import sys; sys.modules['paddle'] = None; from paddlepose.commands import main; sys.exit(main())"


def run(*command: str | Path) -> None:
    """Run a command, and stop with its exit status if it fails."""
    print("$", *command, flush=True)
    status = subprocess.run([sys.executable, *map(str, command)], check=False).returncode
    if status:
        sys.exit(status)


def read_joints(folder: Path) -> dict[str, np.ndarray]:
    """Joints (N, K, 2) by the name of the file of results."""
    files = {path.name: json.loads(path.read_text())["people"] for path in sorted(folder.glob("*.json"))}
    return {
        name: np.array([[joint[:2] for joint in person["keypoints"].values()] for person in people])
        for name, people in files.items()
    }


def main() -> int:
    """Exit status: 0 if all poses are equal."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        settings = {"DATASET.ROOT": folder / "mpii", "OUTPUT_DIR": folder / "out", "LOG_DIR": folder / "log"}
        job = ("--cfg", CONFIG, *(word for pair in settings.items() for word in pair))
        scripts, pictures = ROOT / "pose_estimation", folder / "mpii" / "images"
        run(ROOT / "data" / "make_mini.py", "mpii", "--out", folder, "--size", "160x160")
        run(scripts / "train.py", *job, "TRAIN.END_EPOCH", "2")
        run(scripts / "export.py", *job, "--out", folder / "posenet.onnx")
        run(scripts / "infer.py", *job, "--img-file", pictures, *BOX, "--out", folder / "infer")
        arguments = ("--model", folder / "posenet.onnx", "--img", pictures, *BOX, "--out", folder / "deploy")
        run("-c", WITHOUT_PADDLE, "deploy", *arguments)
        wanted, found = read_joints(folder / "infer"), read_joints(folder / "deploy")
    difference = max(np.abs(wanted[name] - found[name]).max() for name in wanted)
    same = wanted.keys() == found.keys() and difference <= TOLERANCE
    print(f"{len(wanted)} pictures, largest difference {difference:.4f} pixels: {'equal' if same else 'NOT EQUAL'}")
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
