"""Every setting of a run, with its default: the sections of a YAML file as types.

A YAML file says only what is particular to it. A network's and a codec's own settings, the arguments of their
constructors, are keys of the sections MODEL and CODEC beside those below.
"""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from paddlepose import plugins
from paddlepose.core.limits import MOST_SCALE

Positive = Annotated[int, Field(gt=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Size = tuple[Positive, Positive]
Pair = tuple[str, str]


class Section(BaseModel):
    """Keys are upper case in YAML, lower case in Python; an unknown key is an error; values never change."""

    model_config = ConfigDict(alias_generator=str.upper, extra="forbid", frozen=True, protected_namespaces=())


class SkeletonSection(Section):
    """Joints of a COCO-format set where its own file does not say them, or says them otherwise. Joints by name."""

    joints: tuple[str, ...] | None = None
    limbs: tuple[Pair, ...] | None = None
    flip_pairs: tuple[Pair, ...] | None = None  # an empty list: no joint has a counterpart
    upper_body: tuple[str, ...] | None = None
    sigmas: tuple[float, ...] | None = None
    weights: tuple[float, ...] | None = None


class DatasetSection(Section):
    """The data and how training varies them."""

    dataset: str = "mpii"
    root: Path = Path("data/mpii")
    train_set: str = "train"
    test_set: str = "valid"
    data_format: Literal["jpg", "zip"] = "jpg"
    category: tuple[str, ...] = ()  # names of the categories of people; by default the one with joints and annotations
    allow_outside: bool = False  # read pictures whose file_name leads out of ROOT
    skeleton: SkeletonSection = SkeletonSection()
    color_rgb: bool = False  # published PoseResNets were trained on BGR, HRNets on RGB
    select_data: bool = False
    flip: bool = True
    scale_factor: Share = 0.25
    rot_factor: float = Field(30, ge=0)  # degrees
    prob_any_rotation: Share = 0.0  # of a rotation by any angle in place of one drawn around 0
    color_jitter: Share = 0.0  # largest change of contrast, brightness, saturation; a third of it of each channel
    prob_blur: Share = 0.0
    prob_jpeg: Share = 0.0  # of compression to a low quality
    prob_cutout: Share = 0.0  # of one to three rectangles that hide parts of the crop
    min_scale: float = Field(0.75, gt=0)  # of whole pictures, relative to their shorter side
    max_scale: float = Field(1.5, gt=0)
    max_translate: int = Field(40, ge=0)  # pixels of a picture whose shorter side has 200
    center_least_area: float = Field(32.0**2, ge=0)  # square pixels of the outline of a person who gets a centre
    prob_half_body: float = Field(0, le=1)
    num_joints_half_body: int = 8
    unlabelled_root: Path | None = None  # a folder of pictures, for distillation
    unlabelled_box_file: Path | None = None  # people in them; without it each picture shows one

    @field_validator("dataset")
    @classmethod
    def _exists(cls, name: str) -> str:
        plugins.find("datasets", name)
        return name

    @field_validator("category", mode="before")
    @classmethod
    def _one_or_more(cls, names: Any) -> Any:
        return (names,) if isinstance(names, str) else names


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
    """The criterion; cross_entropy is for top-down networks whose maps are nowhere negative, such as pose_lite."""

    name: Literal["mse", "cross_entropy"] = "mse"
    use_target_weight: bool = True
    use_different_joints_weight: bool = False
    use_ohkm: bool = False
    topk: Positive = 8
    heatmaps_loss_factor: float = Field(1.0, ge=0)  # of bottom-up networks
    offsets_loss_factor: float = Field(0.01, ge=0)

    @model_validator(mode="after")
    def _hardest_by_squares(self) -> "LossSection":
        if self.name == "cross_entropy" and self.use_ohkm:
            raise ValueError("USE_OHKM: only goes with NAME mse")
        return self


class KdSection(Section):
    """Distillation, which a teacher's weights turn on."""

    teacher_cfg: Path | None = None
    teacher_file: Path | None = None  # weights, or an .onnx file of any origin that has a card
    alpha: Share = 0.5  # of the teacher in the loss of a labelled sample
    labelled: bool = True  # use the labels; without, only people's boxes are taken from their file
    keep_maps: bool = False  # on the disk; for training data that are not augmented


class TrainSection(Section):
    """Optimisation. BATCH_SIZE is that of one step, over all processes."""

    batch_size: Positive = 32
    shuffle: bool = True
    begin_epoch: int = Field(0, ge=0)
    end_epoch: Positive = 140
    resume: bool = False  # go on from the output folder's checkpoint, if there is one
    checkpoint: Path | None = None  # weights of this very network to start from
    stages: Positive = 1  # trainings one after another, each from the best weights of the one before
    optimizer: Literal["adam", "adamw", "sgd", "rms"] = "adam"
    lr: float = Field(1e-3, gt=0)
    lr_type: Literal["MultiStepDecay", "PolynomialDecay", "CosineDecay"] = "MultiStepDecay"
    warmup_steps: int = Field(0, ge=0)  # over which the learning rate rises from 0
    lr_step: tuple[int, ...] = (90, 120)  # epochs
    lr_factor: float = Field(0.1, gt=0)
    wd: float = Field(1e-4, ge=0)  # Adam has none, as in the published training
    momentum: Share = 0.9
    nesterov: bool = False
    accumulate: Positive = 1  # steps whose gradients are added before the weights change
    freeze: int = Field(0, ge=0)  # epochs in which the weights of MODEL.PRETRAINED stay as they are
    lr_head: float | None = Field(None, gt=0)  # learning rate of the weights that MODEL.PRETRAINED has not; else LR
    patience: int = Field(0, ge=0)  # epochs without a better figure, after which training ends; 0: it goes to END_EPOCH
    ema: Share = 0.0  # decay of the running mean of the weights, which is then what is measured; 0 is none
    amp: Literal["fp16", "bf16"] | None = None  # on a GPU


class TestSection(Section):
    """Measuring."""

    batch_size: Positive = 32
    model_file: Path | None = None
    flip_test: bool = False
    # At which whole pictures are shown; one is 1.
    scale_factor: tuple[Annotated[float, Field(gt=0, le=MOST_SCALE, multiple_of=0.5)], ...] = (1.0,)
    post_process: bool = True
    shift_heatmap: bool = True
    use_gt_bbox: bool = False
    coco_bbox_file: Path | None = None
    image_thre: float = 0.0
    in_vis_thre: float = 0.2
    bias: float = 0.0  # pixels subtracted from x and y before measuring; LPN's published figures on MPII have 1
    oks_thre: float = 0.9
    soft_nms: bool = False

    @field_validator("scale_factor", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        """As the seeds write it on a command line: `0.5,1,2`."""
        return value.split(",") if isinstance(value, str) else [value] if isinstance(value, int | float) else value


class RescoreSection(Section):
    """Scores of bottom-up poses that a small network learns from their shape."""

    use: bool = True
    model_file: Path | None = None  # its weights
    data_file: Path = Path("output/rescore/data.npz")  # what it is trained on
    end_epoch: Positive = 20
    lr: float = Field(1e-3, gt=0)
    hidden_layer: Positive = 256
    batch_size: Positive = 1024


class DebugSection(Section):
    """Pictures of what goes through the network, at each step that is printed."""

    debug: bool = False
    save_batch_images_gt: bool = False
    save_batch_images_pred: bool = False
    save_heatmaps_gt: bool = False
    save_heatmaps_pred: bool = False
