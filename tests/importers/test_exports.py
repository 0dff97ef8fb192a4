"""Every tool's export, as the tool writes it, to a set with the same joints."""

from pathlib import Path

import numpy as np
import pytest
import tool_exports as tools

from paddlepose.commands import main
from paddlepose.datasets.mpii import JOINTS as MPII_JOINTS
from paddlepose.metrics.labels import read

UNNAMED = [f"joint_{i + 1}" for i in range(8)]

# The writer of an export, people an image, how far joints may be off in pixels, and whether hidden ones are told apart.
EXPORTS = [
    (tools.coco, 2, 0, True),
    (tools.coco_file, 2, 0, True),
    (tools.coco_splits, 2, 0, True),
    (tools.roboflow_coco, 2, 0, True),
    (tools.cvat_coco, 2, 0, True),
    (tools.label_studio_coco, 1, 0.5, False),
    (tools.cvat_skeletons, 2, 0, True),
    (tools.cvat_project, 2, 0, True),
    (tools.cvat_grouped_points, 2, 0, True),
    (tools.cvat_boxed_points, 2, 0, True),
    (tools.cvat_numbered_points, 2, 0, False),
    (tools.cvat_video, 2, 0, True),
    (tools.label_studio, 2, 1e-3, False),
    (tools.label_studio_relations, 2, 1e-3, False),
    (tools.label_studio_old, 2, 1e-3, False),
    (tools.label_studio_min, 2, 1e-3, False),
    (tools.yolo, 2, 1e-3, True),
    (tools.yolo_unnamed, 2, 1e-3, False),
    (tools.roboflow_yolo, 2, 1e-3, True),
    (tools.cvat_yolo, 2, 1e-3, True),
    (tools.labelme, 2, 0, False),
    (tools.labelme_old, 1, 0, False),
    (tools.x_anylabeling, 2, 0, True),
    (tools.mpii, 2, 1e-3, True),
]


def imported(tmp_path: Path, path: Path, *options: str) -> dict[str, list]:
    """Joints' names, and people by image, of the set that the command makes of an export."""
    out = tmp_path / "set"
    assert main(["import", str(path), "--out", str(out), *options]) == 0
    people = {}
    for file in (out / "annotations").iterdir():
        labels = read(file)
        for one in labels.annotations:
            people.setdefault(labels.images[one.image].file_name, []).append(one)
    return labels.category, people


@pytest.mark.parametrize(
    ("write", "number", "tolerance", "tells_hidden"), EXPORTS, ids=lambda value: getattr(value, "__name__", "")
)
def test_joints_are_those_of_the_export(tmp_path, capsys, write, number, tolerance, tells_hidden):
    pictures = tools.draw_set(people=number, all_visible=write is tools.cvat_numbered_points)
    category, people = imported(tmp_path, write(tmp_path / "export", pictures))
    names = [f"frame_{i:06d}.PNG" for i in range(5)] if write is tools.cvat_video else [one.name for one in pictures]
    assert sorted(people) == sorted(names)
    order = _order(category.joints)
    for name, picture in zip(names, pictures, strict=True):
        assert (tmp_path / "set" / "images" / name).is_file()
        assert len(people[name]) == len(picture.people)
        for one, other in zip(sorted(people[name], key=lambda person: person.box[0]), picture.people, strict=True):
            expected = (
                other.joints if tells_hidden else other.joints * [1, 1, 0] + [0, 0, 2] * (other.joints[:, 2:] > 0)
            )
            np.testing.assert_allclose(one.joints[order], expected, atol=tolerance + 1e-9)
            assert (one.box[:2] <= expected[expected[:, 2] > 0, :2].min(0) + 0.5).all()


def _order(names):
    """Places of the set's eight joints among those of an import."""
    if names == tuple(MPII_JOINTS) or names == tuple(UNNAMED):
        return list(range(8))
    return [names.index(name) for name in tools.JOINTS]
