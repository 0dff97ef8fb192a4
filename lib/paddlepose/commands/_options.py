"""Options that several commands take, and the job that they describe."""

import argparse
import os
import re
from pathlib import Path

from paddlepose import cpu
from paddlepose.commands import show_all
from paddlepose.commands._parser import Parser
from paddlepose.config import load_config
from paddlepose.engine import runs
from paddlepose.engine.job import Job

# Switches of the seeds' command lines and the settings that they turn on.
_SWITCHES = {
    "flip_test": ("TEST.FLIP_TEST", "true"),
    "no_flip": ("TEST.FLIP_TEST", "false"),
    "post_process": ("TEST.POST_PROCESS", "true"),
    "shift_heatmap": ("TEST.SHIFT_HEATMAP", "true"),
    "use_detect_bbox": ("TEST.USE_GT_BBOX", "false"),
}
# Options with a value and the settings that they replace.
_VALUES = {
    "frequent": "PRINT_FREQ",
    "workers": "WORKERS",
    "batch_size": "TRAIN.BATCH_SIZE",
    "coco_bbox_file": "TEST.COCO_BBOX_FILE",
    "scales": "TEST.SCALE_FACTOR",
    "tcfg": "KD.TEACHER_CFG",
}


def parser(command: str, description: str) -> Parser:
    """A parser with what every command on a configuration takes."""
    result = Parser(command, description)
    result.add_argument("--cfg", required=True, type=Path, help="the experiment's YAML file")
    name_help = "name of the run: a new one's, or whose weights to use (the experiment's newest)"
    result.add_argument("--name", help=name_help)
    result.add_argument("-v", "--verbose", action="store_true", help="print all settings, which the log file has")
    result.add_argument("--gpus", help="numbers of the GPUs to use, such as 0; several need paddle.distributed.launch")
    result.add_argument("settings", nargs="*", metavar="KEY VALUE", help="settings over the file's: TRAIN.LR 1e-4")
    return result


def add_loop_options(result: argparse.ArgumentParser) -> None:
    """What the commands that go through a data set take."""
    result.add_argument("--frequent", type=int, help="print a line every so many steps")
    result.add_argument("--workers", type=int, help="processes that prepare samples")


def add_test_switches(result: argparse.ArgumentParser) -> None:
    """Switches that change how a network is measured; they only turn things on."""
    result.add_argument("--flip-test", action="store_true", help="average over each crop and its mirror image")
    result.add_argument("--post-process", action="store_true", help="refine maxima by a quarter of a pixel")
    result.add_argument("--shift-heatmap", action="store_true", help="align mirrored heatmaps by one pixel")


def check_out(out: Path, *inputs: Path | None) -> None:
    """Hold a file that is written to another one than those that are read. Raises ValueError: it is one of them."""
    if out.resolve() in [path.resolve() for path in inputs if path]:
        raise ValueError(f"--out {out}: this is the file that is read; name another")


def job(arguments: argparse.Namespace) -> Job:
    """The job that parsed arguments describe. Raises ValueError: the configuration is wrong; one line a mistake."""
    cpu.keep_freed_memory()
    if vars(arguments).get("verbose"):
        show_all()
    settings = list(arguments.settings)
    for name, value in vars(arguments).items():
        if name in _SWITCHES and value:
            settings += _SWITCHES[name]
        elif name in _VALUES and value is not None:
            settings += [_VALUES[name], str(value)]
    if arguments.gpus is not None:
        os.environ.setdefault("CUDA_VISIBLE_DEVICES", arguments.gpus)
        settings += ["DEVICE", "gpu"]
    config, name = load_config(arguments.cfg, settings), vars(arguments).get("name")
    if name and (not name.strip(".") or re.search(r"[/\\]", name)):
        raise ValueError(f"--name {name}: expected the name of a folder, without its place")
    return Job(config, name or runs.newest(Job(config, arguments.cfg.stem).folder))
