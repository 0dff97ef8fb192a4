"""Pictures from files and archives, and what a network gets of them."""

import zipfile

import cv2
import numpy as np
import pytest

from paddlepose.core.geometry import Region, crop_matrix
from paddlepose.core.image import read_picture, to_input, warp
from paddlepose.core.types import Card, Skeleton

CARD = Card("top_down", "none", (4, 3), Skeleton("one", ("nose",), (), ()), {"name": "heatmap"})


def test_warp_golden(golden):
    """goldens/topdown/warp.npz: six crops, to one grey level in OpenCV 5 and a little more before."""
    data = golden("topdown/warp.npz")
    for i, (x, y, scale_x, scale_y, rotation, width, height) in enumerate(data["in__center_scale_rot_wh"]):
        region = Region(np.array([x, y]), 200 * np.array([scale_x, scale_y]))
        matrix = crop_matrix(region, (int(width), int(height)), rotation)
        np.testing.assert_allclose(matrix, data[f"out__trans_{i}"], rtol=1e-6, atol=1e-9)
        crop = warp(data["in__image"], matrix, (int(width), int(height)))
        difference = np.abs(crop.astype(int) - data[f"out__{i}"])
        if cv2.__version__ >= "5":
            assert difference.max() <= 1
        else:
            assert difference.max() <= 8
            assert difference.mean() < 0.3


@pytest.mark.parametrize("member", ["a.png", "pictures/a.png"])
def test_a_member_of_an_archive(tmp_path, member):
    """With or without the folder inside that is called like the archive."""
    picture = np.arange(36, dtype=np.uint8).reshape(3, 4, 3)
    with zipfile.ZipFile(tmp_path / "pictures.zip", "w") as archive:
        archive.writestr(member, cv2.imencode(".png", picture)[1].tobytes())
    np.testing.assert_array_equal(read_picture(tmp_path / "pictures.zip@" / "a.png"), picture)
    with pytest.raises(FileNotFoundError, match="no such member"):
        read_picture(tmp_path / "pictures.zip@" / "b.png")


def test_a_jpeg_that_is_cut_off(tmp_path):
    data = cv2.imencode(".jpg", np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8))[1].tobytes()
    (tmp_path / "whole.jpg").write_bytes(data)
    (tmp_path / "padded.jpg").write_bytes(data + b"\0" * 100)
    (tmp_path / "half.jpg").write_bytes(data[: len(data) // 2])
    assert read_picture(tmp_path / "whole.jpg").shape == (64, 64, 3)
    assert read_picture(tmp_path / "padded.jpg").shape == (64, 64, 3)
    with pytest.raises(ValueError, match=r"half\.jpg: the JPEG file is cut off"):
        read_picture(tmp_path / "half.jpg")


@pytest.mark.parametrize("data", [b"", b"no picture"])
def test_no_picture(tmp_path, data):
    (tmp_path / "a.png").write_bytes(data)
    with pytest.raises(ValueError, match="not a picture"):
        read_picture(tmp_path / "a.png")


def test_grey_and_alpha_pictures_have_three_channels(tmp_path):
    cv2.imwrite(str(tmp_path / "grey.png"), np.full((5, 4), 7, np.uint8))
    cv2.imwrite(str(tmp_path / "alpha.png"), np.full((5, 4, 4), 7, np.uint8))
    assert read_picture(tmp_path / "grey.png").shape == (5, 4, 3)
    assert read_picture(tmp_path / "alpha.png").shape == (5, 4, 3)


def test_normalization():
    crop = np.random.default_rng(0).integers(0, 255, (3, 4, 3), np.uint8)
    wanted = (crop / 255.0 - CARD.mean) / CARD.std
    np.testing.assert_allclose(to_input(crop, CARD), wanted.transpose(2, 0, 1), rtol=1e-5, atol=1e-6)
