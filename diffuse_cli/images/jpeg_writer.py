"""JPEG files: how finely a result is coded, and when nothing is coded at all."""

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile

from .jpeg_data import decoded
from .metadata import jpeg_coding_of
from .picture import JpegCoding, Levels, Picture, upright

SUBSAMPLINGS: Final = ("4:4:4", "4:2:2", "4:2:0")
"""Of a JPEG's chroma, in the order of Pillow's numbers."""
MOST_LOST: Final = 0.1
"""What a coder may undo of a change, if a finer coding is at hand."""
_FINER: Final = {95: MOST_LOST, 98: 0.5, 100: 1.0}
"""Qualities beyond the file's own, and what each may undo: the finest make files three times as large."""
_LOCAL: Final = 0.5
"""If less than this share of the pixels changed, the coder is judged by these, and by what it does to the others."""
_STRONG: Final = 16.0
"""Mean square, in levels, of such a change; a fainter one is judged as a whole."""
_LOCALLY_LOST: Final = 0.5
"""What a coder may undo of it: blocks that are half new are not what was coded before."""
_KEPT: Final = 4.0
"""Mean square, in levels, by which it may move those that did not change."""
_TRIED_ROWS: Final = 16
_TRIED_NUMBERS: Final = 1 << 23


@dataclass(frozen=True, kw_only=True, slots=True)
class _Coding:
    """A way to code a result.

    Attributes:
        options: as Pillow takes them.
        name: for the user; "" = as the input was.
        most_lost: the share of a change that it may undo.
    """

    options: Mapping[str, Any]
    name: str
    most_lost: float


def unchanged(picture: Picture, levels: Levels) -> bool:
    """Return whether the picture is what its JPEG was decoded to.

    Args:
        picture: the result.
        levels: (H, W, C), its levels.
    """
    before = _before(picture, levels)
    return before is not None and bool((before == levels).all())


def jpeg_options(picture: Picture, levels: Levels, quality: int | None) -> tuple[dict[str, Any], str]:
    """Return how a JPEG is coded, as Pillow takes it, and a line for the user where it is not as the input was.

    The result of a JPEG keeps its tables, subsampling and scans, if that undoes at most a tenth of what was changed.
    Else it is coded more finely. For the posterior mean x of a picture y, |x - truth|^2 + |x - y|^2 = |y - truth|^2 on
    average, so the change is what was gained. A change of a few pixels is judged where it is: coded with the same
    tables again, the others hardly move. What was no JPEG has quality 95 and full chroma.

    Args:
        picture: the result.
        levels: (H, W, C), its levels.
        quality: 1..100, if one was asked for.
    """
    coding = picture.source.jpeg
    if quality is not None:
        return {"subsampling": "4:4:4", **_scans(coding), "quality": quality}, ""
    before = _before(picture, levels)
    if before is None:
        return dict(next(_codings(coding)).options), ""
    after, start = _sample(levels), _sample(before)
    change, changed = _squares(start, after), (after != start).any(axis=2)
    is_local = bool(0 < changed.mean() < _LOCAL and change[changed].mean() >= _STRONG)
    judged = changed if is_local else np.ones_like(changed)
    for one in _codings(coding):
        lost = _squares(decoded(_coded(after, one.options)), after)
        most = max(one.most_lost, _LOCALLY_LOST) if is_local else one.most_lost
        is_fine = lost[judged].mean() <= most * change[judged].mean()
        if is_fine and (not is_local or lost[~changed].mean() <= _KEPT):
            break
    line = f"coded with {one.name}, because the input's coding would undo a part" if one.name else ""
    return dict(one.options), line


def _scans(coding: JpegCoding | None) -> dict[str, Any]:
    # 4:4:4 loses nothing of a kind that Pillow cannot write
    return {} if coding is None else {"subsampling": max(coding.subsampling, 0), "progressive": coding.progressive}


def _codings(coding: JpegCoding | None) -> Iterator[_Coding]:
    """Yield ways to code a result, the input's first."""
    scans = _scans(coding)
    if coding is not None:
        own = {**scans, "qtables": [list(table) for table in coding.tables]}
        yield _Coding(options=own, name="", most_lost=MOST_LOST)
        if coding.subsampling > 0:
            yield _Coding(options={**own, "subsampling": 0}, name="full chroma", most_lost=MOST_LOST)
    for quality, most in _FINER.items():
        options = {**scans, "quality": quality, "subsampling": 0}
        yield _Coding(options=options, name=f"quality {quality} and full chroma", most_lost=most)


def _before(picture: Picture, levels: Levels) -> NDArray[np.uint8] | None:
    """Return the input's levels, if it was a JPEG of the result's size and channels."""
    data = picture.source.jpeg_data
    if data is None:
        return None
    try:
        before = upright(decoded(data.coded), data.orientation)
    except (OSError, SyntaxError, ValueError):  # of a damaged file that was read past what does not belong there
        return None
    return before if before.shape == levels.shape else None


def _sample(levels: NDArray[Any]) -> NDArray[np.uint8]:
    """Return what codings are tried on: the picture, or rows of it that are evenly spread."""
    height, width, channels = levels.shape
    count = max(_TRIED_NUMBERS // (width * channels * _TRIED_ROWS), 1)
    if count * _TRIED_ROWS >= height:
        return levels
    tops = np.linspace(0, height // _TRIED_ROWS - 1, count).astype(int) * _TRIED_ROWS
    return np.concatenate([levels[top : top + _TRIED_ROWS] for top in tops.tolist()])


def _squares(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the squares of what differs, the mean over the channels, (H, W)."""
    return np.asarray(np.square(a.astype(np.float32) - b).mean(2))


def _coded(levels: NDArray[np.uint8], options: Mapping[str, Any]) -> bytes:
    return _file(levels, {**options, "progressive": False}).getvalue()


def jpeg_coding(quality: int, subsampling: str) -> JpegCoding:
    """Return how the encoder of the Independent JPEG Group codes at a quality.

    Args:
        quality: 1..100.
        subsampling: of the chroma, one of `SUBSAMPLINGS`.
    """
    stream = io.BytesIO()
    Image.new("RGB", (16, 16)).save(stream, "JPEG", quality=quality)
    with Image.open(stream) as image:
        assert isinstance(image, JpegImageFile)
        return replace(jpeg_coding_of(image), subsampling=SUBSAMPLINGS.index(subsampling))


def through_jpeg(levels: NDArray[np.uint8], quality: int, subsampling: str) -> NDArray[np.uint8]:
    """Return what a JPEG leaves of a picture. No file is written.

    Args:
        levels: (H, W, 1 or 3).
        quality: 1..100, as the Independent JPEG Group's encoder has it.
        subsampling: of the chroma, one of `SUBSAMPLINGS`.

    Returns:
        Levels of the same shape.
    """
    with Image.open(jpeg_file(levels, quality, subsampling)) as image:
        return np.array(image).reshape(levels.shape)


def jpeg_file(levels: NDArray[np.uint8], quality: int, subsampling: str) -> io.BytesIO:
    """Return a picture as the content of a JPEG file.

    Args:
        levels: as for `through_jpeg`.
        quality: as for `through_jpeg`.
        subsampling: as for `through_jpeg`.
    """
    return _file(levels, {"quality": quality, "subsampling": subsampling})


def _file(levels: NDArray[np.uint8], options: Mapping[str, Any]) -> io.BytesIO:
    stream = io.BytesIO()
    plane = levels[..., 0] if levels.shape[2] == 1 else levels
    Image.fromarray(plane).save(stream, "JPEG", **options)
    return stream
