"""A configuration at work: its data, its network, its measure, and the folder where its results go."""

import logging
import time
from functools import cached_property
from pathlib import Path
from types import ModuleType

import paddle
from paddle import nn

from paddlepose import losses, plugins, zoo
from paddlepose.config import load_config
from paddlepose.core.files import remove_leftovers
from paddlepose.core.finder import Finder
from paddlepose.core.predict import BottomUp, Network, TopDown
from paddlepose.core.rescore import Rescorer
from paddlepose.core.types import Card, ImageRecord, Skeleton
from paddlepose.datasets import _unlabelled
from paddlepose.engine import distributed, evaluate, rescoring, weights
from paddlepose.engine.checkpoint import BEST, FINAL
from paddlepose.engine.loader import Loader
from paddlepose.engine.log import start_log
from paddlepose.engine.report import Watch
from paddlepose.engine.teacher import KeptMaps, Teacher
from paddlepose.experiment import Config
from paddlepose.losses import Criterion
from paddlepose.metrics import Metric
from paddlepose.metrics.boxes import Found
from paddlepose.models import build_network, check_heatmaps
from paddlepose.runtime import OrtNetwork
from paddlepose.samples.bottomup import BottomUpSamples
from paddlepose.samples.finder import FinderSamples
from paddlepose.samples.topdown import TopDownSamples

_LOG = logging.getLogger(__name__)


class Job:
    """Everything that commands need of a configuration, made when it is first asked for."""

    def __init__(self, config: Config, name: str) -> None:
        """A job called `name`, as its YAML file or its run; nothing is read or written yet."""
        self.config = config
        self.name = name
        self.new_weights: frozenset[str] = frozenset()  # of the network as training starts: MODEL.PRETRAINED has not

    def stage(self, number: int, start: Path | None) -> "Job":
        """One of several trainings of this job, from the weights at `start`, in a folder of its own."""
        train = self.config.train.model_copy(update={"checkpoint": start})
        config = self.config.model_copy(update={"train": train, "seed": self.config.seed + number})
        return Job(config, f"{self.name}/stage{number}")

    @property
    def model_name(self) -> str:
        """The network's name, with its depth where it has one: `pose_resnet_50`."""
        depth = self.config.arguments("model").get("depth")
        return self.config.model.name if depth is None else f"{self.config.model.name}_{depth}"

    @property
    def title(self) -> str:
        """What result tables call the network: `256x192_pose_resnet_50_d256d256d256`, or its name alone."""
        filters = self.config.arguments("model").get("num_deconv_filters")
        if filters is None:
            return self.model_name
        width, height = self.config.model.image_size
        return f"{height}x{width}_{self.model_name}_{''.join(f'd{count}' for count in filters)}"

    @property
    def folder(self) -> Path:
        """Where checkpoints, results and logs go."""
        return self.config.output_dir / self.config.dataset.dataset / self.model_name / self.name

    @property
    def visual_folder(self) -> Path:
        """Where VisualDL's log of the run goes."""
        return self.config.log_dir / self.config.dataset.dataset / self.model_name / self.name

    @cached_property
    def dataset(self) -> ModuleType:
        """The module of the data set. Raises ValueError: it has no whole pictures, and the network takes such."""
        module = plugins.find("datasets", self.config.dataset.dataset)
        if self.config.kind != "top_down" and not hasattr(module, "pictures"):
            name = self.config.dataset.dataset
            wanted = "people, coco or crowdpose" if self.config.kind == "detector" else "coco or crowdpose"
            raise ValueError(f"DATASET.DATASET {name}: {self.config.kind.replace('_', '-')} networks need {wanted}")
        return module

    @cached_property
    def skeleton(self) -> Skeleton:
        """The joints of the data set."""
        return self.dataset.skeleton(self.config.source(train=False))

    @cached_property
    def card(self) -> Card:
        """How the network is used."""
        return self.config.card(self.skeleton)

    @cached_property
    def criterion(self) -> Criterion:
        """What the network is trained on."""
        return losses.build(self.config.kind, self.config.loss)

    def loader(self, *, train: bool) -> Loader:
        """Batches of the training or the test split, this process's share of them.

        Raises FileNotFoundError: a file of the data set is missing; ValueError: a file is not what it should
        be, or the batch cannot be shared evenly.
        """
        config, world = self.config, distributed.world()
        title, options = ("TRAIN", config.train) if train else ("TEST", config.test)
        if options.batch_size % world:
            size = f"{title}.BATCH_SIZE {options.batch_size}"
            raise ValueError(f"{size}: {world} processes cannot share it evenly; give a multiple of {world}")
        samples = self._samples(train=train)
        return Loader(
            samples,
            options.batch_size,
            workers=config.workers,
            seed=config.seed if train and config.train.shuffle else None,
            rank=distributed.rank(),
            world=world,
        )

    def _samples(self, *, train: bool) -> TopDownSamples | BottomUpSamples | FinderSamples:
        if self.config.kind != "top_down":
            kind = BottomUpSamples if self.config.kind == "bottom_up" else FinderSamples
            return kind(self.pictures(train=train), self.card, self.config)
        records = self._training_records() if train else self.dataset.records(self.config.source(train=False))
        samples = TopDownSamples(records, self.card, self.config, train=train)
        if not len(samples):
            raise ValueError("DATASET.SELECT_DATA: of the people to train on, none has joints around the box's centre")
        return samples

    def pictures(self, *, train: bool = False) -> list[ImageRecord]:
        """The whole pictures of the test or the training split, for a bottom-up network."""
        return self.dataset.pictures(self.config.source(train=train), train=train)

    def _training_records(self) -> list[ImageRecord]:
        """People to train on: labelled, or of pictures that only a teacher has to say something of, or both."""
        config, folder = self.config, self.config.dataset.unlabelled_root
        found = [] if folder and not config.kd.labelled else self.dataset.records(config.source(train=True))
        if not config.kd.labelled:
            found = _unlabelled.without_labels(found)
        if folder:
            (width, height), boxes = self.card.input_size, config.dataset.unlabelled_box_file
            found += _unlabelled.records(folder, boxes, joints=len(self.skeleton.joints), aspect=width / height)
        return found

    @cached_property
    def teacher(self) -> Teacher | None:
        """The network that KD names, where it names one.

        Raises FileNotFoundError: no such file; ValueError: it is not that network's, or does not fit the student.
        """
        if self.config.kd.teacher_file is None:
            return None
        path, settings = self._teacher_file, self.config.kd.teacher_cfg
        if not path.is_file():
            raise FileNotFoundError(f"KD.TEACHER_FILE {path}: no such file")
        if path.suffix == ".onnx":
            network = OrtNetwork(path)
            return Teacher(network, network.card, self.card)
        config = load_config(settings)
        data = self.config.dataset.model_copy(update={"color_rgb": config.dataset.color_rgb})
        job = Job(config.model_copy(update={"dataset": data}), settings.stem)
        _LOG.info("=> the teacher is %s", job.title)
        return Teacher(job.trained_network(path), job.card, self.card)

    @cached_property
    def _teacher_file(self) -> Path:
        return zoo.find(self.config.kd.teacher_file)

    def training_criterion(self, samples: TopDownSamples | BottomUpSamples | FinderSamples) -> Criterion:
        """What the network is trained on: the labels of `samples`, or these and a teacher's maps."""
        kd, teacher = self.config.kd, self.teacher
        if teacher is None:
            return self.criterion
        if kd.keep_maps:
            data = self.config.dataset.model_dump_json(), self.config.model.model_dump_json()
            file = self._teacher_file.stat()
            people = [(str(record.path), person.region.center, person.region.size) for record, person in samples.people]
            origin = f"{kd} {file.st_size} {file.st_mtime_ns} {data} {distributed.rank()} {people}"
            shape = len(people), len(self.skeleton.joints)
            teacher = KeptMaps(teacher, self.folder / "teacher", shape, origin=origin)
        use_weight = self.config.loss.use_target_weight
        return losses.Distill(self.criterion, teacher, kd.alpha, use_weight=use_weight)

    def network(self) -> nn.Layer:
        """The network as training starts: drawn as the papers do, then those of MODEL.PRETRAINED that fit.

        TRAIN.CHECKPOINT has all its weights, if it is given.

        Raises FileNotFoundError: no such file; ValueError: it has no weight of this network, or the network's
        heatmaps are not of MODEL.HEATMAP_SIZE.
        """
        paddle.seed(self.config.seed)
        model = self._built_network()
        if self.config.model.init_weights:
            model.init_weights()
        if self.config.model.pretrained:
            report = weights.load_pretrained(model, zoo.find(self.config.model.pretrained))
            self.new_weights = frozenset(model.state_dict()).difference(report.loaded)
        if self.config.train.checkpoint:
            _LOG.info("=> loading model from %s", self.config.train.checkpoint)
            weights.load(model, zoo.find(self.config.train.checkpoint))
        return model

    def weights_file(self, path: Path | None = None) -> Path:
        """The file of weights that is meant: `path`, TEST.MODEL_FILE, the run's best, or else its last."""
        named, best = path or self.config.test.model_file, self.folder / BEST
        return zoo.find(named) if named else best if best.is_file() else self.folder / FINAL

    def trained_network(self, path: Path | None = None) -> nn.Layer:
        """The network with the weights of a file, by default those that training has left in the folder.

        Raises FileNotFoundError: no such file; ValueError: it has not the weights of this network, or these
        make no heatmaps of MODEL.HEATMAP_SIZE.
        """
        path = self.weights_file(path)
        if not path.is_file():
            raise FileNotFoundError(f"{path}: no such file of weights; train first, or name another as TEST.MODEL_FILE")
        model = self._built_network()
        _LOG.info("=> loading model from %s", path)
        weights.load(model, path, card=self.card)
        return model

    def _built_network(self) -> nn.Layer:
        """The network as it is built, in evaluation mode, after a look at the size of its heatmaps."""
        model = build_network(self.config, len(self.card.skeleton.joints))
        check_heatmaps(model, self.config, self.model_name)
        return model

    def metrics(self, folder: Path | None = None) -> dict[str, Metric]:
        """The measures of the test split, empty, whose results go to a folder, by default the job's.

        It is one, or for bottom-up poses one before and one after they snap.

        Raises FileNotFoundError: the file with the ground truth is missing; ValueError: it is not what it
        should be.
        """
        source, folder = self.config.source(train=False), folder or self.folder
        if self.config.kind == "bottom_up":
            return {tag: self.dataset.picture_metric(source, folder, tag) for tag in ("regression", "final")}
        if self.config.kind == "detector":
            return {"": Found()}
        return {"": self.dataset.metric(source, folder, self.config.test)}

    @cached_property
    def test_data(self) -> Loader | list[ImageRecord]:
        """What is measured on: the loader of the test split, or for a bottom-up network its pictures."""
        return self.loader(train=False) if self.config.kind == "top_down" else self.pictures()

    @cached_property
    def rescorer(self) -> Rescorer | None:
        """What changes the scores of bottom-up poses, if RESCORE has it used.

        Raises FileNotFoundError: no such file; ValueError: it is no rescoring network of these joints.
        """
        options = self.config.rescore
        return rescoring.load(options.model_file, self.skeleton) if options.use and options.model_file else None

    def predictor(self, network: Network, *, rescore: bool = True) -> TopDown | BottomUp | Finder:
        """What finds poses with a network as TEST says; `rescore` as RESCORE says, or else with what its file has."""
        options = self.config.test
        if self.config.kind == "top_down":
            return TopDown(network, self.card, flip_test=options.flip_test)
        if self.config.kind == "detector":
            return Finder(network, self.card)
        use = rescore and self.config.rescore.use
        rescorer = (self.rescorer or getattr(network, "rescorer", None)) if use else None
        how = {"flip_test": options.flip_test, "scales": options.scale_factor, "rescorer": rescorer}
        return BottomUp(network, self.card, **how)

    def measure(
        self, network: Network, watch: Watch, *, title: str | None = None, rescore: bool = False
    ) -> evaluate.Result | None:
        """Figures on the test split, printed as a table; only the first of several processes has them."""
        how = {"options": self.config.test, "criterion": self.criterion, "watch": watch}
        result = evaluate.measure(self.predictor(network, rescore=rescore), self.test_data, self.metrics(), **how)
        if result:
            evaluate.say(result, title or self.title)
        return result

    def choose_device(self) -> None:
        """Compute on the device that DEVICE names. Raises ValueError: a GPU was asked for and there is none."""
        distributed.choose_device(self.config.device)

    def start(self, phase: str) -> None:
        """Choose the device, clean the folder, and let the log go to the screen and to a file there."""
        self.choose_device()
        distributed.start()
        remove_leftovers(self.folder, "**/.*")
        start_log(self.folder, f"{self.name}_{time.strftime('%Y-%m-%d-%H-%M')}_{phase}.log", self.config)
