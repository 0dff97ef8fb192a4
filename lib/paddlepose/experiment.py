"""All settings of a run as a whole: what must agree among them, and what follows from them."""

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import Field, model_validator

from paddlepose import plugins
from paddlepose.core.types import Card, Kind, Skeleton
from paddlepose.datasets import Source
from paddlepose.settings import (
    CodecSection,
    DatasetSection,
    DebugSection,
    KdSection,
    LossSection,
    ModelSection,
    Positive,
    RescoreSection,
    Section,
    TestSection,
    TrainSection,
)

_BOXED = ("coco", "crowdpose")  # data sets for which a detector's boxes are expected

# Settings of a codec that stand in other sections: their section and field.
CODEC_SHARES = {
    "input_size": ("model", "image_size"),
    "heatmap_size": ("model", "heatmap_size"),
    "sigma": ("model", "sigma"),
    "shift_heatmap": ("test", "shift_heatmap"),
    "post_process": ("test", "post_process"),
}


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
    kd: KdSection = KdSection()
    train: TrainSection = TrainSection()
    test: TestSection = TestSection()
    rescore: RescoreSection = RescoreSection()
    debug: DebugSection = DebugSection()

    @model_validator(mode="after")
    def _sizes_agree(self) -> "Config":
        width, height = self.model.image_size
        map_width, map_height = self.model.heatmap_size
        if width * map_height != height * map_width:
            raise ValueError(
                f"MODEL.HEATMAP_SIZE {self.model.heatmap_size} has another aspect ratio "
                f"than MODEL.IMAGE_SIZE {self.model.image_size}; a quarter of it is {(width // 4, height // 4)}"
            )
        if self.train.begin_epoch >= self.train.end_epoch:
            last = f"TRAIN.END_EPOCH {self.train.end_epoch}"
            raise ValueError(f"TRAIN.BEGIN_EPOCH {self.train.begin_epoch} is not before {last}")
        return self

    @model_validator(mode="after")
    def _boxes_are_given(self) -> "Config":
        if (
            self.dataset.dataset in _BOXED
            and self.kind == "top_down"
            and not self.test.use_gt_bbox
            and self.test.coco_bbox_file is None
        ):
            raise ValueError("TEST.COCO_BBOX_FILE is missing; give it, or measure with TEST.USE_GT_BBOX: true")
        return self

    @model_validator(mode="after")
    def _fits_whole_pictures(self) -> "Config":
        if self.kind == "top_down":
            return self
        width, height = self.model.image_size
        if width != height and self.kind == "bottom_up":
            raise ValueError(f"MODEL.IMAGE_SIZE {(width, height)}: bottom-up networks are trained on squares")
        if 1 not in self.test.scale_factor:
            raise ValueError(f"TEST.SCALE_FACTOR {self.test.scale_factor}: 1 must be among the scales")
        if self.dataset.max_scale < self.dataset.min_scale:
            raise ValueError(f"DATASET.MAX_SCALE {self.dataset.max_scale} is below DATASET.MIN_SCALE")
        if self.kd.teacher_file or self.debug.debug:
            raise ValueError(f"{'KD' if self.kd.teacher_file else 'DEBUG'}: is for top-down networks only")
        return self

    @model_validator(mode="after")
    def _teacher_is_given(self) -> "Config":
        kd, data = self.kd, self.dataset
        if kd.teacher_file is None:
            wants = {"KD.TEACHER_CFG": kd.teacher_cfg, "KD.LABELLED: false": not kd.labelled}
            wants |= {"KD.KEEP_MAPS": kd.keep_maps, "DATASET.UNLABELLED_ROOT": data.unlabelled_root}
            if asked := [key for key, value in wants.items() if value]:
                raise ValueError(f"{asked[0]} needs a teacher: give its weights or .onnx file as KD.TEACHER_FILE")
        if data.unlabelled_box_file and data.unlabelled_root is None:
            raise ValueError("DATASET.UNLABELLED_BOX_FILE: give the folder of its pictures as DATASET.UNLABELLED_ROOT")
        if kd.teacher_file and kd.teacher_cfg is None and kd.teacher_file.suffix != ".onnx":
            raise ValueError(f"KD.TEACHER_FILE {kd.teacher_file}: give the YAML of its network as KD.TEACHER_CFG")
        if kd.keep_maps and (data.flip or data.scale_factor or data.rot_factor or data.prob_half_body > 0):
            still = "DATASET.FLIP false DATASET.SCALE_FACTOR 0 DATASET.ROT_FACTOR 0 DATASET.PROB_HALF_BODY 0"
            raise ValueError(f"KD.KEEP_MAPS: only for data that are not augmented: set {still}")
        return self

    @property
    def kind(self) -> Kind:
        """What the network takes and what it finds, which its codec says."""
        return plugins.find("codecs", self.codec.name).Codec.kind

    def arguments(self, section: Literal["model", "codec"]) -> dict[str, Any]:
        """The settings in MODEL or CODEC that belong to the network's or codec's constructor."""
        settings = getattr(self, section)
        common = {"model": ModelSection, "codec": CodecSection}[section].model_fields
        return {name: getattr(settings, name) for name in type(settings).model_fields if name not in common}

    def codec_settings(self) -> dict[str, Any]:
        """What `codecs.build` takes."""
        known = {field.name for field in fields(plugins.find("codecs", self.codec.name).Codec)}
        places = {name: place for name, place in CODEC_SHARES.items() if name in known}
        shared = {name: getattr(getattr(self, section), field) for name, (section, field) in places.items()}
        return {"name": self.codec.name, **shared, **self.arguments("codec")}

    def card(self, skeleton: Skeleton, source: Mapping[str, str] | None = None) -> Card:
        """The card of this configuration's network for a data set's skeleton.

        Raises ValueError: MODEL.NUM_JOINTS is not the skeleton's.
        """
        if self.model.num_joints not in (None, len(skeleton.joints)):
            raise ValueError(
                f"MODEL.NUM_JOINTS is {self.model.num_joints}, but {skeleton.name} has {len(skeleton.joints)} joints: "
                "leave it out"
            )
        return Card(
            kind=self.kind,
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
            skeleton={key: value for key, value in self.dataset.skeleton if value is not None},
            category=self.dataset.category,
            allow_outside=self.dataset.allow_outside,
        )

    def dump(self) -> str:
        """All settings as YAML that `load_config` reads."""
        return yaml.safe_dump(self.model_dump(mode="json", by_alias=True), sort_keys=False)
