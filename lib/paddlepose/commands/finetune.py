"""`paddlepose finetune`: train a network that is there already on your own data."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from paddlepose import config, zoo
from paddlepose.commands import train
from paddlepose.commands._parser import Parser
from paddlepose.core.files import written_beside
from paddlepose.engine import weights
from paddlepose.engine.job import Job
from paddlepose.models import network_class, recognised

_STEPS = 60.0, (400, 20000)  # times the root of the number of people, within limits
_BATCHES = ((8, 0), (16, 200), (32, 2000))  # samples in one step, from so many people on
_WARMUP = 10  # of the steps one in so many


def main(argv: Sequence[str]) -> int:
    """Exit status after the training, which is that of an experiment written into the data's folder."""
    parser = Parser("finetune", "Train a network that is there already on your own data.")
    parser.add_argument("--data", type=Path, required=True, help="folder that `paddlepose import` wrote")
    from_help = "name or file of the weights to start from (%(default)s)"
    parser.add_argument("--from", dest="start", type=Path, default=Path("person17"), help=from_help)
    parser.add_argument("--name", help="name of the run")
    parser.add_argument("--resume", action="store_true", help="go on from the newest run's checkpoint")
    parser.add_argument("settings", nargs="*", metavar="KEY VALUE", help="settings of the training: TRAIN.LR 1e-4")
    arguments = parser.parse_intermixed_args(argv)
    data = arguments.data
    imported = data / f"{data.resolve().name}.yaml"
    if not imported.is_file():
        raise FileNotFoundError(f"--data {data}: expected a folder with {imported.name}, as `paddlepose import` writes")
    experiment = data / f"finetune_{arguments.start.name.partition('.')[0]}.yaml"
    if experiment.is_file():
        print(f"=> {experiment} is there already: it is used as it is")
    else:
        content = _experiment(imported, arguments.start)
        with written_beside(experiment) as unfinished:
            unfinished.write_text(yaml.safe_dump(content, sort_keys=False, default_flow_style=None, width=110))
        print(f"=> wrote {experiment}")
    run = [*(["--name", arguments.name] if arguments.name else []), *(["--resume"] if arguments.resume else [])]
    return train.main(["--cfg", str(experiment), *run, *arguments.settings])


def _experiment(imported: Path, start: Path) -> dict[str, Any]:
    """The experiment of an imported set with the network whose weights are at `start`, and a schedule for its people.

    Raises ValueError: they are no top-down network's, or it does not take this set.
    """
    path = zoo.find(start)
    state, card, rgb = weights.read(path)
    name, arguments = recognised({key: value.shape for key, value in state.items()})
    if name is None:
        raise ValueError(f"--from {start}: no network here has these weights")
    network = network_class(name)
    if getattr(network, "kind", "top_down") != "top_down":
        raise ValueError(f"--from {start}: expected a top-down network's weights, these are of {name}")
    had = arguments.pop("num_joints")
    raw = yaml.safe_load(imported.read_text(encoding="utf-8"))
    loaded = Job(config.load_config(imported), imported.stem)
    people = len(loaded.loader(train=True).samples)
    print(f"=> {people} people to train on, {len(loaded.skeleton.joints)} joints; {name} of {start} had {had}")
    data = {**raw["DATASET"], "COLOR_RGB": raw["DATASET"].get("COLOR_RGB") if rgb is None else rgb}
    model = {key: raw["MODEL"][key] for key in ("IMAGE_SIZE", "HEATMAP_SIZE", "SIGMA")}
    model |= _like(loaded.config.model.image_size, getattr(network, "multiple", 1))
    model = {"NAME": name, "PRETRAINED": str(start), "INIT_WEIGHTS": False, **model}
    model |= {key.upper(): list(value) if isinstance(value, tuple) else value for key, value in arguments.items()}
    content = {**raw, "DATASET": data, "MODEL": model, "TRAIN": _schedule(people)}
    if card and card.codec["name"] != "heatmap":
        content["CODEC"] = {"NAME": card.codec["name"]}
    if getattr(network, "sums_up", False):
        content["LOSS"] = {"NAME": "cross_entropy"}
    return content


def _like(size: tuple[int, int], multiple: int) -> Mapping[str, list[int]]:
    """Sizes of the input and the maps of a network that takes multiples, near those of the experiment."""
    sides = [max(1, round(side / multiple)) * multiple for side in size]
    return {"IMAGE_SIZE": sides, "HEATMAP_SIZE": [side // 4 for side in sides]}


def _schedule(people: int) -> dict[str, Any]:
    """TRAIN for a set of so many people: a few hundred steps for dozens, some thousands for thousands."""
    batch = max(size for size, least in _BATCHES if people >= least)
    factor, limits = _STEPS
    steps = int(np.clip(factor * math.sqrt(people), *limits))
    return {
        "BATCH_SIZE": batch,
        "END_EPOCH": max(1, math.ceil(steps / math.ceil(people / batch))),
        "OPTIMIZER": "adamw",
        "LR": 1e-3,
        "LR_HEAD": 2e-3,
        "LR_TYPE": "CosineDecay",
        "WARMUP_STEPS": steps // _WARMUP,
        "WD": 0.01,
        "EMA": 0.98,
    }
