"""Train a network: `paddlepose train --cfg experiments/...yaml [KEY VALUE ...]`."""

import argparse
import logging
import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from types import MappingProxyType

import paddle
from paddle import nn
from paddle.utils import unique_name
from tqdm.contrib.logging import logging_redirect_tqdm
from visualdl import LogWriter

from paddlepose.commands import _options
from paddlepose.core.files import entry, folder_beside, written_beside
from paddlepose.engine import checkpoint, distributed, lock, optim, runs
from paddlepose.engine.checkpoint import BEST, FINAL, is_better
from paddlepose.engine.cost import cost
from paddlepose.engine.debug import DebugPictures
from paddlepose.engine.ema import Ema
from paddlepose.engine.evaluate import NO_FIGURE, Result, as_network, measure_nothing
from paddlepose.engine.history import History
from paddlepose.engine.job import Job
from paddlepose.engine.report import TrainWatch, Watch
from paddlepose.engine.train import Step, fit

_HEADLINE = "headline"  # in metrics.csv, the figure by which networks are compared

_LOG = logging.getLogger(__name__)


def main(argv: Sequence[str]) -> int:
    """Run the command; its exit status."""
    parser = _options.parser("train", "Train a network.")
    _options.add_loop_options(parser)
    parser.add_argument("--batch_size", type=int, help="samples in one step, over all processes")
    parser.add_argument("--tcfg", type=Path, help="the teacher's YAML file, as KD.TEACHER_CFG")
    parser.add_argument("--resume", action="store_true", help="go on from the output folder's checkpoint")
    parser.add_argument("--resume_model", type=Path, help="go on from the checkpoint in this folder")
    arguments = parser.parse_intermixed_args(argv)
    job = _options.job(arguments)
    resume_from = job.folder if arguments.resume or job.config.train.resume else None
    if arguments.resume_model:
        resume_from = arguments.resume_model
        expected = Path("stage0" if job.config.train.stages > 1 else "", checkpoint.FILE)
        if not (resume_from / expected).is_file():
            raise FileNotFoundError(f"--resume_model {resume_from}: expected a folder that has {expected}")
    job = _own_run(job, arguments, resume_from)
    with lock.alone(job.folder) if distributed.rank() == 0 else nullcontext():
        job.start("train")
        if distributed.rank() == 0:
            with written_beside(job.folder / runs.SETTINGS) as unfinished:
                unfinished.write_text(job.config.dump())
        with logging_redirect_tqdm():
            train_in_stages(job, resume_from)
    return 0


def _own_run(job: Job, arguments: argparse.Namespace, resume_from: Path | None) -> Job:
    """The job in a folder of its own, unless it goes on in the one that it has.

    Raises ValueError: --name is that of another run.
    """
    if resume_from and resume_from.resolve() == job.folder.resolve():
        return job
    if arguments.name:
        if runs.is_run(job.folder):
            raise ValueError(f"--name {job.name}: {job.folder} is a run already: give another, or --resume it")
        return job
    job.choose_device()
    distributed.start()
    base = Job(job.config, arguments.cfg.stem).folder
    return Job(job.config, distributed.gather(runs.new(base))[0])  # the first process's: it may be ahead of others


def train_in_stages(job: Job, resume_from: Path | None) -> None:
    """Train TRAIN.STAGES times, each time from the best weights of the time before and with a fresh optimiser.

    The iterative training of lightweight pose networks (Zhang et al., section 3.4). Stages have folders of their own in
    the job's, which gets the best stage's weights.
    """
    count = job.config.train.stages
    if count == 1:
        train(job, resume_from)
        return
    best, start = NO_FIGURE, job.config.train.checkpoint
    for number in range(count):
        stage = job.stage(number, start)
        _LOG.info("=> stage %d of %d, in %s", number + 1, count, stage.folder)
        reached = train(stage, resume_from and resume_from / stage.folder.name)
        start = stage.folder / BEST
        if is_better(reached, best) and distributed.rank() == 0:
            best = reached
            for name in (BEST, FINAL):
                _copy(start, job.folder / name)


def _copy(source: Path, target: Path) -> None:
    with written_beside(target) as unfinished:
        shutil.copyfile(source, unfinished)


def _bring_best(source: Path, target: Path) -> None:
    """Take the best weights along where a run goes on in another folder."""
    if source.is_file() and source.resolve() != target.resolve():
        _copy(source, target)


# Names of the optimiser's state, by which a checkpoint finds it, start from zero whatever was trained before.
@unique_name.guard()
def train(job: Job, resume_from: Path | None) -> float:
    """Train as a job's configuration says, measure after each epoch, keep the best: its headline figure.

    Raises FloatingPointError: a loss is not finite; ValueError: the data, or the checkpoint in `resume_from`,
    cannot be used.
    """
    options = job.config.train
    _check(job)
    train_loader, _ = job.loader(train=True), job.test_data
    model = job.network()
    _log_cost(job, model)
    step = Step(
        distributed.share(model),
        job.training_criterion(train_loader.samples),
        optim.build(options, model),
        accumulate=options.accumulate,
        amp=options.amp,
        ema=Ema(model, options.ema) if options.ema else None,
    )
    checkpoints = checkpoint.Checkpoints(job.folder, model, step)
    done = resume_from and checkpoints.resume(resume_from)
    first = done or options.begin_epoch
    main_process = distributed.rank() == 0
    if main_process and done:
        _bring_best(resume_from / BEST, job.folder / BEST)
    distributed.wait_for_first(f"{job.name}: start")
    writer = LogWriter(str(job.visual_folder)) if main_process else None
    watch = TrainWatch(job.config, writer, _pictures(job, "train"))
    test_watch = Watch(job.config, _pictures(job, "val"))
    history = History(job.folder, first)
    measure = partial(_measure, job, checkpoints, test_watch, writer, history)
    if job.teacher and not done:
        job.measure(job.teacher.as_network(), test_watch, title=f"teacher {job.teacher.name}")
        job.measure(as_network(model), test_watch, title=f"student {job.title}")

    def after_epoch(epoch: int) -> bool:
        """Whether training ends here. The state is kept first: what fails in the measurement then costs nothing."""
        distributed.average_statistics(model)
        if main_process:
            checkpoints.save(epoch + 1)
        measure(epoch, trained=watch.figures())
        distributed.wait_for_first(f"{job.name}: end of epoch {epoch}")
        return _ends_early(job, history)

    if done:
        measure(done - 1)  # the run may have been stopped before it was
    if first >= options.end_epoch:
        known = "=> %d of TRAIN.END_EPOCH %d epochs are done: nothing to train; raise it to go on"
        _LOG.info(known, first, options.end_epoch)
    epochs = range(first, options.end_epoch)
    schedule = _schedule(job, model, watch, len(train_loader))
    fit(step, train_loader, schedule, epochs=epochs, watch=watch, after_epoch=after_epoch)
    if main_process:
        checkpoints.finish()
    return checkpoints.best


def _log_cost(job: Job, model: nn.Layer) -> None:
    found = cost(model, job.card.input_size)
    _LOG.info("=> %s: %.2f M parameters, %.2f GMACs a picture", job.title, found.params / 1e6, found.macs / 1e9)


def _schedule(job: Job, model: nn.Layer, watch: TrainWatch, steps: int) -> Callable[[int], float]:
    """The learning rate of a step, by its number, as `watch` notes it; weights have their shares of it by epoch."""
    rate = optim.learning_rate(job.config.train, steps)

    def schedule(number: int) -> float:
        """The learning rate of a step, by its number from the first epoch on."""
        if number % steps == 0:
            optim.set_rates(job.config.train, model, job.new_weights, number // steps)
        return watch.rate(rate(number))

    return schedule


def _ends_early(job: Job, history: History) -> bool:
    """Whether TRAIN.PATIENCE is over, as the first process has it."""
    patience = job.config.train.patience
    if not patience or not distributed.gather(history.epochs_without_gain(_HEADLINE) >= patience)[0]:
        return False
    _LOG.info("=> no better figure in %d epochs, TRAIN.PATIENCE: training ends here", patience)
    return True


def _measure(
    job: Job,
    checkpoints: checkpoint.Checkpoints,
    watch: Watch,
    writer: LogWriter | None,
    history: History,
    epoch: int,
    trained: Mapping[str, float] = MappingProxyType({}),
) -> None:
    """Measure after an epoch, and keep the best weights; the first process does what is alone its own.

    `trained` are the figures of the epoch's training.
    """
    ema = checkpoints.step.ema
    with ema.applied() if ema else nullcontext():
        result = job.measure(as_network(checkpoints.model), watch)
    if result and writer:
        _write_scalars(writer, result, epoch)
        checkpoints.keep_best(result.headline)
        history.add(epoch, {**trained, **_row(result)})


def _check(job: Job) -> None:
    """Find what would stop the run after an epoch only, or do nothing of what was asked for.

    Raises FileNotFoundError: the ground truth of the test split is missing; ValueError: it is not what it should
    be, or 16 bits are asked for on a CPU.
    """
    if job.config.train.amp and not paddle.device.get_device().startswith("gpu"):
        raise ValueError(f"TRAIN.AMP {job.config.train.amp}: needs a GPU, and this run is on the CPU; set it to null")
    _try_measuring(job)


def _try_measuring(job: Job) -> None:
    """Measure before there is anything to measure, and say so if no figure will come of it.

    Raises FileNotFoundError, ValueError: the labels cannot be measured.
    """
    with folder_beside(job.folder / "nothing") as folder, entry(f"DATASET.TEST_SET {job.config.dataset.test_set}"):
        result = measure_nothing(job.test_data, job.metrics(folder), joints=len(job.skeleton.joints))
    if result.headline == NO_FIGURE:
        has_labels = "Null" not in list(result.figures.values())[-1]
        why = "nobody in its labels has an area and a labelled joint" if has_labels else "it has no labels"
        split = f"DATASET.TEST_SET {job.config.dataset.test_set}"
        _LOG.warning("=> %s cannot be measured: %s; %s will be the latest epoch's", split, why, BEST)


def _pictures(job: Job, prefix: str) -> DebugPictures | None:
    """Debug pictures of the first process, if they are asked for."""
    if not job.config.debug.debug or distributed.rank():
        return None
    return DebugPictures(job.folder / "debug", prefix, job.config.debug, job.card)


def _row(result: Result) -> dict[str, float]:
    """A measurement's figures by name, those that could be had."""
    figures = {f"{tag} {name}".strip(): value for tag, row in result.figures.items() for name, value in row.items()}
    figures |= {"valid loss": result.loss} if result.loss is not None else {}
    figures |= {"pixels": result.distances.pixels, "PCK": result.distances.pck} if result.distances else {}
    return {_HEADLINE: result.headline} | {name: value for name, value in figures.items() if value >= 0}


def _write_scalars(writer: LogWriter, result: Result, epoch: int) -> None:
    loss = {} if result.loss is None else {"": {"loss": result.loss}}
    for figures in (loss, result.figures):
        for tag, values in figures.items():
            for name, value in values.items():
                writer.add_scalar("/".join(filter(None, ("valid", tag, name))), value, epoch)
