"""What networks cost: `paddlepose summary --cfg experiments/...yaml`, or `--all` for every network of experiments/."""

import argparse
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import paddle
from tqdm import tqdm

from paddlepose import cpu
from paddlepose.commands import _options
from paddlepose.commands._parser import Parser
from paddlepose.engine.cost import cost, milliseconds
from paddlepose.engine.job import Job
from paddlepose.models import build_network

_RUNS = 5  # forward passes that are timed
_RULES = """
Input is height x width. GFLOPs are those of published tables: weights of convolutions and transposed convolutions
times output pixels, and linear layers, for one picture, / 2^30. GMACs are the multiplications themselves, a transposed
convolution's weights times its input pixels, / 10^9. M and GFLOPs of bottom-up networks are those of their table:
weights count at each call of a layer, as in the published network, and GFLOPs are / 10^9."""


def main(argv: Sequence[str]) -> int:
    """Run the command; its exit status."""
    parser = Parser("summary", "Parameters, operations and time of networks, as a table.")
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--cfg", type=Path, help="the experiment's YAML file")
    which.add_argument("--all", type=Path, nargs="?", const="experiments", metavar="FOLDER", help="all files of it")
    parser.add_argument("--no-time", action="store_false", dest="time", help="leave out the time of a forward pass")
    parser.add_argument("--gpus", help="number of the GPU to use")
    parser.add_argument("settings", nargs="*", metavar="KEY VALUE", help="settings over the file's: MODEL.DEPTH 101")
    arguments = parser.parse_intermixed_args(argv)
    header = ["Experiments", "Input", "Joints", "Parameters", "M", "GFLOPs", "GMACs", *["ms"] * arguments.time]
    for cells in (header, ["---"] * len(header), *_rows(arguments)):
        print(f"| {' | '.join(cells)} |")
    print(_RULES)
    if arguments.time:
        print(f"ms: a forward pass on {paddle.get_device()}, median of {_RUNS}. {cpu.describe()}")
    return 0


def _rows(arguments: argparse.Namespace) -> list[list[str]]:
    """One row of cells for each network of the experiments, smaller ones first."""
    folder = arguments.all or arguments.cfg.parent
    paths = sorted(folder.rglob("*.yaml")) if arguments.all else [arguments.cfg]
    if not paths:
        raise FileNotFoundError(f"{folder}: no such folder, or none with .yaml files")
    networks: defaultdict[str, list[tuple[str, Job]]] = defaultdict(list)
    for path in paths:
        job = _options.job(argparse.Namespace(**{**vars(arguments), "cfg": path}))
        model, joints = job.config.model, len(job.card.skeleton.joints)
        network = f"{model.name} {model.image_size} {joints} {job.config.arguments('model')}"
        networks[network].append((str(path.relative_to(folder).with_suffix("")), job))
    rows = [_row(group, timed=arguments.time) for group in tqdm(networks.values(), disable=None, leave=False)]
    return [cells for *_, cells in sorted(rows)]


def _row(experiments: Sequence[tuple[str, Job]], *, timed: bool) -> tuple[str, int, int, list[str]]:
    """Cells of the network of some experiments, after what rows are sorted by: its name, parameters and operations."""
    names, (job, *_) = zip(*experiments, strict=True)
    job.choose_device()
    joints, (width, height) = len(job.card.skeleton.joints), job.card.input_size
    model = build_network(job.config, joints)
    model.eval()
    found = cost(model, (width, height))
    cells = [", ".join(names), f"{height}x{width}", str(joints), f"{found.params:,}", f"{found.called / 1e6:.2f}"]
    unit = 1e9 if job.card.kind == "bottom_up" else 2**30
    cells += [f"{found.counted / unit:.4f}", f"{found.macs / 1e9:.4f}"]
    if timed:
        cells.append(f"{milliseconds(model, (width, height), runs=_RUNS):.0f}")
    return job.card.model, found.params, found.counted, cells
