"""The configuration: a YAML file and `KEY VALUE` pairs, checked at once as a whole and frozen.

Defaults stand here, so a YAML file says only what is particular to it. A network's and a codec's own settings are the
arguments of their constructors: the sections MODEL and CODEC take those beside the ones below.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model, model_validator

from paddlepose import plugins
from paddlepose.core.types import Card, Skeleton
from paddlepose.datasets._source import Source

Positive = Annotated[int, Field(gt=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Size = tuple[Positive, Positive]
Pair = tuple[str, str]


class Section(BaseModel):
    """Keys are upper case in YAML, lower case in Python; an unknown key is an error; values never change."""

    model_config = ConfigDict(alias_generator=str.upper, extra="forbid", frozen=True, protected_namespaces=())


class SkeletonSection(Section):
    """Joints of a COCO-format set where its own file does not say them, or says them otherwise. Joints by name."""

    joints: tuple[str, ...] = ()
    limbs: tuple[Pair, ...] = ()
    flip_pairs: tuple[Pair, ...] = ()
    upper_body: tuple[str, ...] = ()
    sigmas: tuple[float, ...] = ()
    weights: tuple[float, ...] = ()


class DatasetSection(Section):
    """The data and how training varies them."""

    dataset: str = "mpii"
    root: Path = Path("data/mpii")
    train_set: str = "train"
    test_set: str = "valid"
    data_format: Literal["jpg", "zip"] = "jpg"
    skeleton: SkeletonSection = SkeletonSection()
    color_rgb: bool = False  # published PoseResNets were trained on BGR, HRNets on RGB
    select_data: bool = False
    flip: bool = True
    scale_factor: Share = 0.25
    rot_factor: float = Field(30, ge=0)  # degrees
    prob_half_body: float = Field(0, le=1)
    num_joints_half_body: int = 8


class ModelSection(Section):
    """The network. Its own settings, the arguments of its constructor, are keys of this section too."""

    name: str = "pose_resnet"
    num_joints: Positive | None = None  # if given, it must be that of the data set
    image_size: Size = (256, 256)  # width, height
    heatmap_size: Size = (64, 64)
    sigma: float = Field(2, gt=0)
    target_type: Literal["gaussian"] = "gaussian"
    init_weights: bool = True
    pretrained: Path | None = None


class CodecSection(Section):
    """How joints are written in maps and read from them; a codec's own settings are keys of this section too."""

    name: str = "heatmap"


class LossSection(Section):
    """The criterion."""

    use_target_weight: bool = True
    use_different_joints_weight: bool = False
    use_ohkm: bool = False
    topk: Positive = 8


class TrainSection(Section):
    """Optimisation. BATCH_SIZE is that of one step, over all processes."""

    batch_size: Positive = 32
    shuffle: bool = True
    begin_epoch: int = Field(0, ge=0)
    end_epoch: Positive = 140
    resume: bool = False  # go on from the output folder's checkpoint, if there is one
    optimizer: Literal["adam", "sgd", "rmsprop"] = "adam"
    lr: float = Field(1e-3, gt=0)
    lr_type: Literal["MultiStepDecay", "PolynomialDecay"] = "MultiStepDecay"
    lr_step: tuple[int, ...] = (90, 120)  # epochs
    lr_factor: float = Field(0.1, gt=0)
    wd: float = Field(1e-4, ge=0)  # Adam has none, as in the published training
    momentum: Share = 0.9
    nesterov: bool = False
    accumulate: Positive = 1  # steps whose gradients are added before the weights change
    ema: Share = 0.0  # decay of the running mean of the weights, which is then what is measured; 0 is none
    amp: Literal["fp16", "bf16"] | None = None  # on a GPU


class TestSection(Section):
    """Measuring."""

    batch_size: Positive = 32
    model_file: Path | None = None
    flip_test: bool = False
    post_process: bool = True
    shift_heatmap: bool = True
    use_gt_bbox: bool = False
    coco_bbox_file: Path | None = None
    image_thre: float = 0.0
    in_vis_thre: float = 0.2
    oks_thre: float = 0.9
    soft_nms: bool = False


class DebugSection(Section):
    """Pictures of what goes through the network, at each step that is printed."""

    debug: bool = False
    save_batch_images_gt: bool = False
    save_batch_images_pred: bool = False
    save_heatmaps_gt: bool = False
    save_heatmaps_pred: bool = False


class Config(Section):
    """All settings of a run."""

    output_dir: Path = Path("output")
    log_dir: Path = Path("log")
    workers: int = Field(4, ge=0)
    print_freq: Positive = 20
    seed: int = Field(0, ge=0)
    device: Literal["auto", "cpu", "gpu"] = "auto"
    dataset: DatasetSection = DatasetSection()
    model: ModelSection = ModelSection()
    codec: CodecSection = CodecSection()
    loss: LossSection = LossSection()
    train: TrainSection = TrainSection()
    test: TestSection = TestSection()
    debug: DebugSection = DebugSection()

    @model_validator(mode="after")
    def _sizes_agree(self) -> Config:
        width, height = self.model.image_size
        map_width, map_height = self.model.heatmap_size
        if width * map_height != height * map_width:
            raise ValueError(
                f"MODEL.HEATMAP_SIZE {self.model.heatmap_size} has another aspect ratio "
                f"than MODEL.IMAGE_SIZE {self.model.image_size}"
            )
        if self.train.begin_epoch >= self.train.end_epoch:
            raise ValueError(f"TRAIN.BEGIN_EPOCH {self.train.begin_epoch} is not before TRAIN.END_EPOCH")
        return self

    @model_validator(mode="after")
    def _boxes_are_given(self) -> Config:
        if self.dataset.dataset == "coco" and not self.test.use_gt_bbox and self.test.coco_bbox_file is None:
            raise ValueError("TEST.COCO_BBOX_FILE is missing; give it, or measure with TEST.USE_GT_BBOX: true")
        return self

    def arguments(self, section: Literal["model", "codec"]) -> dict[str, Any]:
        """The settings in MODEL or CODEC that belong to the network's or codec's constructor."""
        settings = getattr(self, section)
        common = {"model": ModelSection, "codec": CodecSection}[section].model_fields
        return {name: getattr(settings, name) for name in type(settings).model_fields if name not in common}

    def codec_settings(self) -> dict[str, Any]:
        """What `codecs.build` takes."""
        return {
            "name": self.codec.name,
            "input_size": self.model.image_size,
            "heatmap_size": self.model.heatmap_size,
            "sigma": self.model.sigma,
            "shift_heatmap": self.test.shift_heatmap,
            "post_process": self.test.post_process,
            **self.arguments("codec"),
        }

    def card(self, skeleton: Skeleton, source: Mapping[str, str] | None = None) -> Card:
        """The card of this configuration's network for a data set's skeleton.

        Raises:
            ValueError: MODEL.NUM_JOINTS is not the skeleton's.
        """
        if self.model.num_joints not in (None, len(skeleton.joints)):
            raise ValueError(
                f"MODEL.NUM_JOINTS is {self.model.num_joints}, but {skeleton.name} has {len(skeleton.joints)} joints"
            )
        return Card(
            kind="top_down",
            model=self.model.name,
            input_size=self.model.image_size,
            skeleton=skeleton,
            codec=self.codec_settings(),
            rgb=self.dataset.color_rgb,
            source=source or {},
        )

    def source(self, *, train: bool) -> Source:
        """Where the training or the test split lies, for the functions of its data set."""
        width, height = self.model.image_size
        boxes = None if train or self.test.use_gt_bbox else self.test.coco_bbox_file
        return Source(
            root=self.dataset.root,
            split=self.dataset.train_set if train else self.dataset.test_set,
            aspect=width / height,
            archive=self.dataset.data_format == "zip",
            detections=boxes,
            least_score=self.test.image_thre,
            skeleton={key: value for key, value in self.dataset.skeleton if value},
        )

    def dump(self) -> str:
        """All settings as YAML that `load_config` reads."""
        return yaml.safe_dump(self.model_dump(mode="json", by_alias=True), sort_keys=False)


def load_config(path: str | Path, overrides: Sequence[str] = ()) -> Config:
    """Configuration of a YAML file, with `KEY VALUE` pairs such as `TRAIN.LR 1e-4` over it.

    Raises:
        FileNotFoundError: no such file.
        ValueError: what is wrong with it, one line a mistake, each with its key.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such configuration; experiments/ has those of the published systems")
    try:
        raw = yaml.safe_load(path.read_text()) or {}
    except yaml.YAMLError as error:
        raise ValueError(f"{path}: not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(raw, dict):
        raise ValueError(f"{path}: expected keys and values such as 'MODEL: {{NAME: pose_resnet}}'")
    try:
        return parse(_override(raw, overrides))
    except ValueError as error:
        raise ValueError("\n".join(f"{path}: {line}" for line in str(error).splitlines())) from error


def parse(raw: Mapping[str, Any]) -> Config:
    """Configuration of nested keys and values.

    Raises:
        ValueError: one line a mistake, each with its key.
    """
    raw = _in_one_place(raw)
    schema = _schema(raw)
    try:
        return schema.model_validate(raw)
    except ValidationError as error:
        raise ValueError("\n".join(_explain(error, schema))) from None


def _override(raw: Mapping[str, Any], pairs: Sequence[str]) -> dict[str, Any]:
    """`raw` with `A.B value` pairs put in."""
    if len(pairs) % 2:
        raise ValueError(f"'{pairs[-1]}' has no value; settings are given as KEY VALUE, such as TRAIN.LR 1e-4")
    changed = {key: dict(value) if isinstance(value, dict) else value for key, value in raw.items()}
    for key, text in zip(pairs[::2], pairs[1::2], strict=True):
        *parents, name = key.split(".")
        section = changed
        for parent in parents:
            section[parent] = dict(section.get(parent) or {})
            section = section[parent]
        section[name] = yaml.safe_load(text)
    return changed


# Where the first repositories put a setting, and the key that it has here.
_OTHER_NAMES = {"NUM_LAYERS": "DEPTH"}


def _in_one_place(raw: Mapping[str, Any]) -> dict[str, Any]:
    """`raw` with MODEL.EXTRA's settings in MODEL, and one name for each.

    Raises:
        ValueError: a setting is given twice with different values.
    """
    model = dict(raw.get("MODEL") or {})
    if model.get("BACKBONE") == "resnet" and model.get("NAME", "pose_resnet") == "pose_resnet":
        del model["BACKBONE"]  # the seed's files name it; PoseResNet has no other
    for name, value in dict(model.pop("EXTRA", None) or {}).items():
        key = _OTHER_NAMES.get(name, name)
        if model.setdefault(key, value) != value:
            raise ValueError(f"MODEL.{key} is {model[key]}, but MODEL.EXTRA.{name} is {value}: give one")
    return {**raw, "MODEL": model}


def _schema(raw: Mapping[str, Any]) -> type[Config]:
    """The configuration's type for the network and the codec that `raw` names."""
    from paddlepose.models import network_class  # Paddle is only needed once a configuration is read

    model, codec = raw.get("MODEL") or {}, raw.get("CODEC") or {}
    network = network_class(str(model.get("NAME", "pose_resnet")))
    settings = plugins.find("codecs", str(codec.get("NAME", "heatmap"))).Codec
    filled = {"input_size", "heatmap_size", "sigma", "shift_heatmap", "post_process"}
    model_section = _extended(ModelSection, network.__init__, {"self", "num_joints"})
    codec_section = _extended(CodecSection, settings.__init__, {"self", *filled})
    return create_model(
        "Config", __base__=Config, model=(model_section, model_section()), codec=(codec_section, codec_section())
    )


def _extended(section: type[Section], constructor: Callable[..., None], without: set[str]) -> type[Section]:
    """`section` with a field for each argument of a constructor."""
    signature = inspect.signature(constructor, eval_str=True)
    fields = {
        name: (parameter.annotation, ... if parameter.default is parameter.empty else parameter.default)
        for name, parameter in signature.parameters.items()
        if name not in without
    }
    return create_model(section.__name__, __base__=section, **fields)


def _explain(error: ValidationError, schema: type[Section]) -> Iterator[str]:
    """One line for each mistake that pydantic found."""
    for mistake in error.errors():
        parts = [str(part) for part in mistake["loc"]]
        key, message = ".".join(parts), mistake["msg"].removeprefix("Value error, ")
        if mistake["type"] == "extra_forbidden":
            yield f"{key}: no such setting{plugins.nearest(parts[-1], _known(schema, parts[:-1]))}"
        elif key:
            yield f"{key}: {message} (it is {mistake['input']!r})"
        else:
            yield message


def _known(schema: type[Section], path: Sequence[str]) -> list[str]:
    """Keys that the section at `path` has."""
    for part in path:
        schema = schema.model_fields[part.lower()].annotation
    return [name.upper() for name in schema.model_fields]
