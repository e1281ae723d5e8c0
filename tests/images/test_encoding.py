"""Formats and how they are asked for."""

from dataclasses import replace
from pathlib import Path

import pytest

from diffuse_cli.errors import PictureError, UsageError
from diffuse_cli.images.image_io import Encoding, check_fits, check_writable_format, is_lossless
from diffuse_cli.images.picture import Frame, Source
from tests.helpers.image_files import picture

WRONG = [{"format": "xyz"}, {"quality": 0}, {"quality": 101}, {"depth": "12"}, {"metadata": "all"}]


@pytest.mark.parametrize("change", WRONG)
def test_wrong_encodings_are_usage_errors(change: dict[str, object]) -> None:
    with pytest.raises(UsageError, match=f"--{next(iter(change))} must"):
        Encoding(**change)  # type: ignore[arg-type]


def test_a_name_and_a_format_must_agree() -> None:
    assert Encoding(format="tiff").kind(Path("a.tiff")) == Encoding(format="tiff").kind(Path("scan.0001")) == "TIFF"
    with pytest.raises(UsageError, match="--format tiff does not go with"):
        Encoding(format="tiff").kind(Path("a.png"))


def test_unknown_suffixes_are_a_usage_error() -> None:
    assert check_writable_format(Path("a.JPeG")) == "JPEG"
    for name in ("a.xyz", "a", ".png", "a.NEF"):
        with pytest.raises(UsageError, match=r"use one of .*\.png|give --format"):
            check_writable_format(Path(name))
        with pytest.raises(UsageError, match=r"use one of|give --format"):
            is_lossless(Path(name), picture())


def test_gif_is_for_animations() -> None:
    assert check_writable_format(Path("a.gif"), animated=True) == "GIF"
    with pytest.raises(UsageError, match=r"a\.gif: GIF is written for animations only.*-o out\.png"):
        check_writable_format(Path("a.gif"))
    with pytest.raises(PictureError, match=r"a\.gif: GIF is written for animations only.*-o out\.png"):
        check_fits(picture(), Path("a.gif"))
    frames = Source(frame=Frame(duration=40), pages=3)
    for name in ("a.png", "a.webp", "a.gif"):
        check_fits(replace(picture(), source=frames), Path(name))
    for name in ("a.jpg", "a.tif", "a.avif"):
        with pytest.raises(PictureError, match=r"cannot hold an animation; use -o out\.png \(APNG\)"):
            check_fits(replace(picture(), source=frames), Path(name))
    with pytest.raises(PictureError, match="leave --depth out"):
        check_fits(replace(picture(), source=frames), Path("a.png"), Encoding(depth="16"))
