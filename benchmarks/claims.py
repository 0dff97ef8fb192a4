"""What the papers claim, tried on drawn people: distillation, context blocks, and networks of like cost.

Trains small networks from nothing on a CPU, each with three seeds, and prints mean and spread of the last epoch's
figures. It takes hours; what is done stays done, and the same command goes on where it was stopped.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

from timing import table

ROOT = Path(__file__).parents[1]
EXPERIMENT = ROOT / "experiments" / "mini" / "claims.yaml"
TRAIN, VALID, SIZE = 2000, 500, "128x128"  # people, and the size of their pictures
SEEDS = (0, 1, 2)
FIGURES = ("Mean", "Mean@0.1")


@dataclass(frozen=True)
class Run:
    """One row of the tables: a name for its folder, what the tables call it, and its settings."""

    name: str
    title: str
    settings: str
    seeds: tuple[int, ...] = SEEDS


TEACHER = "MODEL.NUM_STACKS 4 MODEL.NUM_FEATURES 64"
STUDENT = "MODEL.NAME hourglass MODEL.NUM_STACKS 1 MODEL.NUM_FEATURES 32"
AGAIN = f"{STUDENT} TRAIN.CHECKPOINT {{out}}/student/{{seed}}/final_state.pdparams"
TAUGHT = "KD.TEACHER_FILE {out}/teacher.onnx"
NETWORKS = [
    Run("teacher_first", "hourglass, 4 stacks of 64", TEACHER, (0,)),
    Run(
        "teacher",
        "the same trained again: the teacher",
        f"{TEACHER} TRAIN.CHECKPOINT {{out}}/teacher_first/{{seed}}/final_state.pdparams",
        (0,),
    ),
    Run("student", "hourglass, 1 stack of 32: the student", STUDENT),
    Run("again", "student trained again, no teacher", AGAIN),
]
DISTILLED = [
    Run("fpd", "student trained again, with FPD", f"{AGAIN} {TAUGHT}"),
    Run("fpd_unlabelled", "student trained again, with FPD, no labels", f"{AGAIN} {TAUGHT} KD.LABELLED false"),
    Run("fpd_new", "student with FPD from nothing", f"{STUDENT} {TAUGHT}"),
    Run("fpd_new_unlabelled", "student with FPD from nothing, no labels", f"{STUDENT} {TAUGHT} KD.LABELLED false"),
]
ALIKE = [
    Run("lpn", "LPN-50 with context blocks", "MODEL.NAME lp_net"),
    Run("lpn_plain", "LPN-50 without", "MODEL.NAME lp_net MODEL.USE_GCB false"),
    Run("ppnet", "PPNet M2-D2-W8", "MODEL.NAME pose_ppnet MODEL.WIDTH 8"),
    Run("hrnet", "HRNet-W8", "MODEL.NAME pose_hrnet MODEL.WIDTH 8"),
    Run("resnet", "PoseResNet-18, 3 x 64", "MODEL.NAME pose_resnet MODEL.DEPTH 18 MODEL.NUM_DECONV_FILTERS [64,64,64]"),
]


def main() -> None:
    """Train what has not been trained yet, and print the tables of what has."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("output/claims"), help="folder of data, weights and figures")
    parser.add_argument("--jobs", type=int, default=2, help="trainings at once, each on one thread")
    parser.add_argument("--table", action="store_true", help="train nothing; print what there is")
    arguments = parser.parse_args()
    out = arguments.out.resolve()
    if not arguments.table:
        _draw_people(out)
        teacher_first, teacher, student, again = NETWORKS
        # Who trains again needs the first weights; distilled students need the teacher.
        for runs in ([teacher_first, student], [teacher, again, ALIKE[0]], DISTILLED, ALIKE):
            with ThreadPoolExecutor(arguments.jobs) as pool:
                list(pool.map(lambda job: train(out, *job), [(run, seed) for run in runs for seed in run.seeds]))
            if teacher in runs:
                _export_teacher(out, teacher)
    for runs in ([*NETWORKS, *DISTILLED], ALIKE):
        print(table(["", *FIGURES, "parameters", "GFLOPs", "ms"], [row(out, run) for run in runs]), end="\n\n")


def train(out: Path, run: Run, seed: int) -> None:
    """Train one network, or go on with it, and note the figures of its last epoch."""
    folder = out / run.name / str(seed)
    if (folder / "figures.json").is_file():
        return
    command = ["train", "--cfg", str(EXPERIMENT), "--resume", *_settings(out, run, seed)]
    lines = _paddlepose([*command, "OUTPUT_DIR", str(folder / "runs"), "LOG_DIR", str(folder / "log")]).splitlines()
    (weights,) = (folder / "runs").rglob("final_state.pdparams")
    weights.replace(folder / weights.name)
    names, *_, values = ([cell.strip() for cell in line.split("|")] for line in lines if line.startswith("| "))
    figures = dict(zip(names, values, strict=True))
    (folder / "figures.json").write_text(json.dumps({name: float(figures[name]) for name in FIGURES}))
    print(f"{run.name}, seed {seed}: {figures['Mean']}", file=sys.stderr, flush=True)


def row(out: Path, run: Run) -> list[str]:
    """Cells of a run: the figures' mean over its seeds and half their range, and what the network costs."""
    paths = [out / run.name / str(seed) / "figures.json" for seed in run.seeds]
    found = [json.loads(path.read_text()) for path in paths if path.is_file()]
    cells = [run.title if len(found) == len(SEEDS) else f"{run.title} ({len(found)} seed)"]
    for name in FIGURES:
        values = [figures[name] for figures in found]
        spread = (max(values, default=0) - min(values, default=0)) / 2
        cells.append(f"{mean(values):.1f}" + f" ± {spread:.1f}" * (len(values) > 1) if values else "")
    summary = _paddlepose(["summary", "--cfg", str(EXPERIMENT), *_only_model(_settings(out, run, 0))])
    *_, line = [line for line in summary.splitlines() if line.startswith("| ")]
    _, _, _, _, parameters, _, operations, _, milliseconds, _ = (cell.strip() for cell in line.split("|"))
    return [*cells, parameters, operations, milliseconds]


def _only_model(words: Sequence[str]) -> list[str]:
    """The pairs of settings that describe the network."""
    pairs = zip(words[::2], words[1::2], strict=False)
    return [word for key, value in pairs if key.startswith("MODEL.") for word in (key, value)]


def _settings(out: Path, run: Run, seed: int) -> list[str]:
    text = run.settings.format(out=out, seed=seed)
    return [*text.split(), "SEED", str(seed), "DATASET.ROOT", str(out / "data" / "mpii")]


def _draw_people(out: Path) -> None:
    if not (out / "data" / "mpii" / "annot" / "valid.json").is_file():
        command = [sys.executable, str(ROOT / "data" / "make_mini.py"), "mpii", "--out", str(out / "data")]
        subprocess.run([*command, "--train", str(TRAIN), "--valid", str(VALID), "--size", SIZE], check=True)


def _export_teacher(out: Path, teacher: Run) -> None:
    """The teacher as an ONNX file, which is all that a student needs of it."""
    if not (out / "teacher.onnx").is_file():
        weights = ["--model-file", str(out / "teacher" / "0" / "final_state.pdparams")]
        command = ["export", "--cfg", str(EXPERIMENT), *weights, "--out", str(out / "teacher.onnx")]
        _paddlepose([*command, *_settings(out, teacher, 0)])


def _paddlepose(arguments: Sequence[str]) -> str:
    """What a command of paddlepose prints, run on one thread."""
    program = [sys.executable, "-c", "import sys; from paddlepose.commands import main; sys.exit(main())"]
    threads = {"MKL_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    done = subprocess.run([*program, *arguments], stdout=subprocess.PIPE, text=True, env={**os.environ, **threads})
    if done.returncode:
        raise SystemExit(f"failed: paddlepose {' '.join(arguments)}\n{re.sub(r'(?s)^.*(?=.{2000}$)', '', done.stdout)}")
    return done.stdout


if __name__ == "__main__":
    main()
