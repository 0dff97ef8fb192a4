"""Annotation files in COCO's format to skeletons and records."""

import json
import zipfile
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from tiny_data import write_jpeg

from paddlepose.core.geometry import Region
from paddlepose.core.image import read_record
from paddlepose.core.nms import SIGMAS
from paddlepose.datasets import Source, _skeleton, coco

OPTIONS = SimpleNamespace(oks_thre=0.9, in_vis_thre=0.2, soft_nms=False)

# A set of two joints with one person, all of which a reader can check by head.
TABLE = {
    "images": [{"id": 7, "file_name": "a.jpg", "width": 100, "height": 50}],
    "categories": [{"id": 3, "name": "horse", "keypoints": ["l_ear", "r_ear"], "skeleton": [[1, 2], [2, 3]]}],
    "annotations": [
        {"id": 1, "image_id": 7, "category_id": 3, "iscrowd": 0, "area": 99, "bbox": [10, 10, 21, 31]}
        | {"keypoints": [11, 12, 2, 0, 0, 0]}
    ],
}


def changed(**fields):
    """TABLE with other fields in its one annotation; a field of None is left out."""
    row = {key: value for key, value in (TABLE["annotations"][0] | fields).items() if value is not None}
    return TABLE | {"annotations": [row]}


def category(**fields):
    return TABLE | {"categories": [{**TABLE["categories"][0], **fields}]}


@pytest.fixture
def source(tmp_path):
    """A data set with an annotation file of some content; the pictures that it names are empty files."""

    def make(content=TABLE, split="train", aspect=1.0, name="person_keypoints_train", folder="images/train", **fields):
        (tmp_path / "annotations").mkdir(exist_ok=True)
        text = content if isinstance(content, str) else json.dumps(content)
        (tmp_path / "annotations" / f"{name}.json").write_text(text)
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        for image in [] if isinstance(content, str) else content.get("images", []):
            (tmp_path / folder / image["file_name"]).touch()
        return Source(tmp_path, split, aspect, **fields)

    return make


def flat(records):
    return [(record.id, person) for record in records for person in record.people]


def hold_to(records, expected, prefix):
    """The people's images, joints and regions are those of a golden."""
    people = [person for _, person in flat(records)]
    assert [number for number, _ in flat(records)] == expected[f"{prefix}image_id"].tolist()
    np.testing.assert_allclose([p.region.center for p in people], expected[f"{prefix}center"], atol=1e-4)
    np.testing.assert_allclose([p.region.size / 200 for p in people], expected[f"{prefix}scale"], atol=1e-6)
    if f"{prefix}joints" in expected:
        joints = np.stack([p.joints for p in people])
        np.testing.assert_array_equal(joints[..., :2], expected[f"{prefix}joints"][..., :2])
        np.testing.assert_array_equal(joints[..., 2], expected[f"{prefix}joints_vis"][..., 0])


def test_labelled_people_equal_the_golden(golden, source):
    """Among them are a crowd, boxes without area and outside the image, and people without joints."""
    hold_to(
        coco.records(source(golden("topdown/coco_eval.json")["gt"], aspect=0.75)),
        golden("topdown/coco_eval.npz"),
        "out__db_gt_",
    )


def test_detected_people_equal_the_golden(golden, source, tmp_path, caplog):
    table, expected = golden("topdown/coco_eval.json"), golden("topdown/coco_eval.npz")
    (tmp_path / "boxes.json").write_text(json.dumps(table["detections"]))
    with caplog.at_level("INFO"):
        records = coco.records(source(table["gt"], aspect=0.75, detections=tmp_path / "boxes.json", least_score=0.1))
    hold_to(records, expected, "out__db_det_")
    assert [person.score for _, person in flat(records)] == expected["out__db_det_score"].tolist()
    said = [record.message for record in caplog.records if record.name.startswith("paddlepose.datasets")]
    assert said == [
        f"=> Total boxes: {len(table['detections'])}",
        "=> Total boxes after fliter low score@0.1: 63",
        f"=> load 63 samples in {len(records)} pictures",
    ]


def test_regions_of_the_mini_set_equal_the_golden(golden, real_data):
    records = coco.records(Source(real_data("coco_mini"), "train2017", 192 / 256))
    hold_to(records, golden("topdown/samples.npz"), "out__coco_mini_db_")


@pytest.mark.parametrize("case", range(3))
def test_regions_of_boxes_equal_the_golden(golden, case):
    boxes = golden("topdown/boxes.npz")
    width, height = boxes["in__image_wh"][case]
    regions = [Region.from_box(box, width / height) for box in boxes["in__boxes_xywh"]]
    np.testing.assert_allclose([r.center for r in regions], boxes[f"out__center_{case}"], atol=1e-4)
    np.testing.assert_allclose([r.size / 200 for r in regions], boxes[f"out__scale_{case}"], atol=1e-6)


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        ([10, 10, 21, 31], [10, 10, 20, 30]),  # a pixel less each way
        ([-10, -5, 21, 31], [0, 0, 20, 30]),  # moved, not cut
        ([90, 40, 21, 31], [90, 40, 9, 9]),  # cut at the last pixel
        ([99, 49, 5, 5], [99, 49, 0, 0]),
        ([100, 10, 5, 5], None),
        ([10, 60, 5, 5], None),
        ([10, 10, 0, 0], [10, 10, 0, 0]),
    ],
)
def test_cleaned_boxes(box, expected):
    found = coco.cleaned(box, (100, 50))
    assert (found if found is None else found.tolist()) == expected


def test_a_person_by_hand(source, tmp_path):
    (record,) = coco.records(source())
    (person,) = record.people
    assert (record.id, record.path, record.size) == (7, tmp_path / "images" / "train" / "a.jpg", (100, 50))
    assert person.box.tolist() == [10, 10, 20, 30]
    assert person.region.center.tolist() == [20, 25]
    assert person.region.size.tolist() == [37.5, 37.5]
    assert person.joints.tolist() == [[11, 12, 1], [0, 0, 0]]
    assert (person.area, person.score, person.crowd) == (99, 1, False)


def test_without_an_area_it_is_a_share_of_the_box(source):
    (record,) = coco.records(source(changed(area=None)))
    assert record.people[0].area == pytest.approx(0.53 * 21 * 31)


@pytest.mark.parametrize(
    "fields",
    [
        {"iscrowd": 1},
        {"keypoints": [0] * 6},
        {"bbox": [200, 10, 5, 5]},
        {"category_id": 4},
    ],
)
def test_who_is_left_out(source, fields):
    everybody = TABLE | {"annotations": [*TABLE["annotations"], *changed(**fields)["annotations"]]}
    assert len(flat(coco.records(source(everybody)))) == 1
    with pytest.raises(ValueError, match="has nobody with a box and a joint"):
        coco.records(source(changed(**fields)))


def test_an_image_without_people_is_no_record_and_needs_no_picture(source, tmp_path):
    empty = {"id": 8, "file_name": "b.jpg", "width": 9, "height": 9}
    made = source(TABLE | {"images": [empty, *TABLE["images"]]})
    (tmp_path / "images" / "train" / "b.jpg").unlink()
    assert [record.id for record in coco.records(made)] == [7]


@pytest.mark.parametrize(
    ("split", "name", "folder", "expected"),
    [
        ("val", "person_keypoints_val", "images/val", "images/val/a.jpg"),
        ("val", "val", "images", "images/a.jpg"),
        ("test-dev2017", "image_info_test-dev2017", "images/test2017", "images/test2017/a.jpg"),
        ("test", "test", "images/test", "images/test/a.jpg"),
    ],
)
def test_where_files_are(source, tmp_path, split, name, folder, expected):
    (record,) = coco.records(source(split=split, name=name, folder=folder))
    assert record.path == tmp_path / expected


def test_pictures_in_an_archive(source, tmp_path):
    made = source(archive=True)
    with zipfile.ZipFile(tmp_path / "images" / "train.zip", "w") as archive:
        archive.writestr("a.jpg", b"")
    assert coco.records(made)[0].path == tmp_path / "images" / "train.zip@" / "a.jpg"


@pytest.mark.parametrize(
    ("content", "error", "message"),
    [
        ('{"images": [', ValueError, r"train\.json: not JSON: .* line 1, column 13"),
        (
            "[]",
            ValueError,
            r"train\.json: has no 'images'; COCO's format is an object of images, annotations, categories",
        ),
        (TABLE | {"categories": []}, ValueError, r"train\.json: has no 'categories'"),
        (category(keypoints=[]), ValueError, r"train\.json: category 'horse' has no 'keypoints'"),
        (
            changed(keypoints=[1, 2, 2]),
            ValueError,
            r"train\.json: annotation 1: keypoints, .* expected 6 numbers, got \[1",
        ),
        (changed(image_id=8), ValueError, r"train\.json: annotation 1: the labels have no image 8"),
        (TABLE | {"annotations": []}, ValueError, r"train\.json: has nobody with a box and a joint"),
    ],
)
def test_mistakes_in_the_labels(source, content, error, message):
    with pytest.raises(error, match=message):
        coco.records(source(content))


def test_a_missing_picture(source, tmp_path):
    made = source()
    (tmp_path / "images" / "train" / "a.jpg").unlink()
    with pytest.raises(FileNotFoundError, match=r"a\.jpg: no such picture; 1 of 1 pictures that .*_train\.json names"):
        coco.records(made)


@pytest.mark.parametrize(
    ("root", "message"),
    [
        ("nowhere", r"nowhere: no such data folder; data/README\.md"),
        (".", r"person_keypoints_val\.json: no such file \(nor annotations/val\.json, .*\), .*; data/README\.md"),
    ],
)
def test_missing_labels(tmp_path, root, message):
    with pytest.raises(FileNotFoundError, match=message):
        coco.records(Source(tmp_path / root, "val", 1.0))


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"image_id": 9, "category_id": 3, "bbox": [1, 2, 3, 4], "score": 1}, "box 0: the labels have no image 9"),
        ({"image_id": 7, "category_id": 3, "score": 1}, r"boxes\.json: box 0 has no 'bbox'"),
        (
            {"image_id": 7, "category_id": 3, "bbox": [1, 2, 3, 4], "score": 0.1},
            r"boxes\.json: none of its 1 boxes can be used: 1 with a score below",
        ),
        ({"image_id": 7, "category_id": 4, "bbox": [1, 2, 3, 4], "score": 1}, "can be used: 1 of other categories"),
        ({"image_id": 7, "category_id": 3, "bbox": [1, 2, 3, 0], "score": 1}, "can be used: 1 with a box of no width"),
        ({"image_id": 7, "category_id": 3, "bbox": None, "score": 1}, "box 0: bbox: expected 4 numbers, got None"),
        (
            {"image_id": 7, "category_id": 3, "bbox": [1, 2, 3, 4], "score": "1"},
            "box 0: score: expected a number, got '1'",
        ),
    ],
)
def test_mistakes_in_detections(source, tmp_path, row, message):
    (tmp_path / "boxes.json").write_text(json.dumps([row]))
    with pytest.raises(ValueError, match=message):
        coco.records(source(detections=tmp_path / "boxes.json", least_score=0.5))


def test_skeleton_of_coco(real_data):
    skeleton = coco.skeleton(Source(real_data("coco_mini"), "train2017", 0.75))
    assert skeleton.flip_pairs == tuple((i, i + 1) for i in range(1, 17, 2))
    assert skeleton.upper_body == tuple(range(11))
    assert skeleton.sigmas == SIGMAS["coco"]
    assert [i for i, weight in enumerate(skeleton.weights) if weight == 1.5] == [9, 10, 15, 16]
    assert [i for i, weight in enumerate(skeleton.weights) if weight == 1.2] == [7, 8, 13, 14]
    table = json.loads((real_data("coco_mini") / "annotations/person_keypoints_train2017.json").read_text())
    assert skeleton.limbs == tuple((a - 1, b - 1) for a, b in table["categories"][0]["skeleton"])


def test_skeleton_of_crowdpose(source, real_data):
    """The file's limbs are COCO's, for other joints: CrowdPose's own are taken."""
    table = json.loads((real_data("crowdpose_mini") / "json/crowdpose_trainval.json").read_text())
    skeleton = coco.skeleton(source(table))
    assert (skeleton.name, skeleton.sigmas) == ("crowdpose", SIGMAS["crowdpose"])
    assert skeleton.flip_order.tolist() == [1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 12, 13]
    assert len(skeleton.limbs) == 15
    assert skeleton.upper_body == (0, 1, 2, 3, 4, 5, 12, 13)


def test_skeleton_without_labels_is_coco(source, tmp_path):
    assert coco.skeleton(Source(tmp_path, "val2017", 0.75)).name == "coco"
    image_info = TABLE | {"categories": [{"id": 1, "name": "person"}], "annotations": []}
    made = source(image_info, split="test2017", name="image_info_test2017")
    assert coco.skeleton(made).name == "coco"
    assert coco.metric(made, tmp_path, OPTIONS).headline == "Null"


def test_skeleton_of_another_set(source):
    skeleton = coco.skeleton(source())
    assert (skeleton.name, skeleton.joints) == ("horse", ("l_ear", "r_ear"))
    assert (skeleton.flip_pairs, skeleton.limbs, skeleton.upper_body) == (((0, 1),), ((0, 1),), (0, 1))
    assert (skeleton.sigmas, skeleton.weights) == ((0.05, 0.05), None)


@pytest.mark.parametrize(
    ("joints", "flip_pairs"),
    [
        (["left_hip", "right_hip"], ((0, 1),)),
        (["RHip", "LHip"], ((0, 1),)),
        (["hip_r", "tail", "hip_l"], ((0, 2),)),
        (["hip left", "hip right"], ((0, 1),)),
        (["lung", "rung", "lip", "rump"], ()),
        (["front_left_tip", "front_right_tip"], ((0, 1),)),
        (["finger1_L", "finger2_L", "finger2_R", "finger1_R"], ((0, 3), (1, 2))),
        (["lefthip", "righthip"], ((0, 1),)),
        (["kneeLeft", "kneeRight", "L1Toe", "R1Toe"], ((0, 1), (2, 3))),
    ],
)
def test_flip_pairs_from_names(joints, flip_pairs):
    assert _skeleton.build("set", joints, (), {}).flip_pairs == flip_pairs


def test_a_joint_without_its_counterpart_is_refused_unless_pairs_are_given(source):
    one_sided = category(keypoints=["left_ear", "tail"])
    with pytest.raises(ValueError, match=r"joint 'left_ear' has no counterpart .* DATASET.SKELETON.FLIP_PAIRS"):
        coco.skeleton(source(one_sided))
    assert coco.skeleton(source(one_sided, skeleton={"flip_pairs": ()})).flip_pairs == ()


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("limbs", [["r_ear", "l_ear"]], ((1, 0),)),
        ("flip_pairs", [["r_ear", "l_ear"]], ((1, 0),)),
        ("upper_body", ["r_ear"], (1,)),
        ("sigmas", [0.1, 0.2], (0.1, 0.2)),
        ("weights", [1.5, 1], (1.5, 1)),
        ("joints", ["nose", "chin"], ("nose", "chin")),
    ],
)
def test_a_source_overrides_fields(source, field, value, expected):
    assert getattr(coco.skeleton(source(skeleton={field: value})), field) == expected


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("limbs", [["l_ear", "r_eer"]], "DATASET.SKELETON.LIMBS: no joint named 'r_eer', did you mean 'r_ear'?"),
        ("limbs", [["l_ear"]], r"DATASET.SKELETON.LIMBS: \['l_ear'\] is no pair of joint names"),
        ("upper_body", ["hoof"], "DATASET.SKELETON.UPPER_BODY: no joint named 'hoof'"),
        ("sigmas", [0.1], "skeleton 'horse': 1 sigmas for 2 joints"),
        ("joints", ["nose"], "DATASET.SKELETON.JOINTS: 1 names, but the labels have 2 joints"),
        ("limb", [], "DATASET.SKELETON: no field 'limb', did you mean 'limbs'?"),
    ],
)
def test_overrides_that_do_not_fit(source, field, value, message):
    with pytest.raises(ValueError, match=message):
        coco.skeleton(source(skeleton={field: value}))


@pytest.mark.parametrize(
    ("extra", "kind"),
    [({}, "coco"), ({"crowdIndex": 0.1}, "crowdpose")],
)
def test_metric(source, tmp_path, extra, kind):
    metric = coco.metric(source(TABLE | {"images": [TABLE["images"][0] | extra]}), tmp_path / "out", OPTIONS)
    assert (metric.headline, metric.kind, metric.labels.category.id) == ("AP", kind, 3)
    assert metric.results == tmp_path / "out" / "results" / "keypoints_train_results_0.json"


@pytest.mark.parametrize(("outline", "kept"), [([], 0), ("", 0), ([[1, 1, 9, 1, 9, 9]], 1)])
def test_outlines_of_people_without_joints_are_ignored_regions(source, outline, kept):
    row = changed(id=2, keypoints=[0] * 6, segmentation=outline)["annotations"]
    (record,) = coco.pictures(source(TABLE | {"annotations": [*TABLE["annotations"], *row]}), train=True)
    assert len(record.ignore) == kept


def test_who_is_left_out_is_counted_by_reason(source, caplog):
    rows = [changed(id=i, **fields)["annotations"][0] for i, fields in enumerate([{}, {"iscrowd": 1}, {"area": 0}])]
    rows += [changed(id=i, bbox=[200, 10, 5, 5])["annotations"][0] for i in (3, 4)]
    with caplog.at_level("INFO"):
        assert len(flat(coco.records(source(TABLE | {"annotations": rows})))) == 1
    said = "annotations left out: 2 with a box outside the image, 1 crowds, 1 with an area of 0"
    assert any(record.message.endswith(said) for record in caplog.records)


@pytest.mark.parametrize("written", ["images/train/a.jpg", "train/a.jpg", "train\\a.jpg", "a.jpg"])
def test_a_file_name_may_hold_its_folder(source, tmp_path, written):
    made = source()
    labels = tmp_path / "annotations" / "person_keypoints_train.json"
    labels.write_text(json.dumps(TABLE | {"images": [TABLE["images"][0] | {"file_name": written}]}))
    assert coco.records(made)[0].path == tmp_path / "images" / "train" / "a.jpg"


@pytest.mark.parametrize("written", ["../outside.jpg", "sub/../../outside.jpg", "{root}/outside.jpg"])
def test_a_file_name_that_leads_out_of_the_data_folder(source, tmp_path, written):
    made = source()
    (tmp_path / "images" / "outside.jpg").touch()
    written = written.format(root=tmp_path / "images")
    labels = tmp_path / "annotations" / "person_keypoints_train.json"
    labels.write_text(json.dumps(TABLE | {"images": [TABLE["images"][0] | {"file_name": written}]}))
    with pytest.raises(ValueError, match=r"image 7: file_name .* lies outside .* DATASET.ALLOW_OUTSIDE"):
        coco.records(made)
    (tmp_path / "images" / "train" / "sub").mkdir()
    assert coco.records(replace(made, allow_outside=True))[0].path.resolve() == tmp_path / "images" / "outside.jpg"


def test_two_sizes_of_an_image_are_found_when_it_is_read(source, tmp_path):
    """Labels drawn on the upright image fit the file as stored or turned; any other size is refused."""
    made, path = source(), tmp_path / "images" / "train" / "a.jpg"
    (record,) = coco.records(made)
    for stored, turned in [((50, 100), False), ((100, 50), True)]:
        write_jpeg(path, np.zeros((*stored, 3), np.uint8), orientation=6 if turned else None)
        assert read_record(record).shape == (50, 100, 3)
    write_jpeg(path, np.zeros((25, 50, 3), np.uint8))
    with pytest.raises(
        ValueError, match=r"a\.jpg: the file has 50x25 pixels, its labels are for 100x50, a factor of 0.5"
    ):
        read_record(record)
