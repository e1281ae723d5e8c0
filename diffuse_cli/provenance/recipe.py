"""A recipe says how a result was made. It is a small JSON in the result's own metadata.

It holds all that decides pixels, resolved, and the hashes of the inputs. It holds no paths, names, times, threads or
machines.
"""

import html
import io
import itertools
import json
import mmap
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO, Final

from ..diffusion.settings import Settings, tile_side
from ..images.containers import content, jpeg_segments, png_chunks, riff_chunks
from ..images.source_type import VOCABULARY, combined
from ..images.video.head import is_clip
from ..images.xmp import IPTC_NAMESPACE, RECIPE_NAMESPACE
from ..system.streams import skimmed
from ..version import __version__
from .source_type import fitting

Recipe = Mapping[str, Any]
"""What JSON can hold, by name."""


HOLDING: Final = frozenset({"PNG", "JPEG", "WEBP", "GIF", "TIFF", "AVIF", "HEIF", "JXL", "DICOM", "DNG", "MP4", "MKV"})
"""Formats whose metadata a recipe goes into."""


_COMMENT: Final = b"restored by diffuse: "
"""What the comment of a clip begins with. The recipe follows."""
IN_ROUNDS: Final = frozenset({"restore", "deblur", "repair"})
"""Commands that can undo a blur exactly."""


def of_computing(
    op: str, settings: Settings, checkpoint: str, dtype: str, compiled: bool = False, *, fills_holes: bool = False
) -> dict[str, Any]:
    """Return the part that tells how a picture was computed.

    Args:
        op: the command's name.
        settings: how it was computed.
        checkpoint: sha256 of the checkpoint's file.
        dtype: "fp32" or "bf16".
        compiled: by torch.compile, which rounds differently.
        fills_holes: the task fills holes. Wide ones get texture, drawn by the seed, unless the mean is asked for.
    """
    noise: dict[str, Any] = {"seed": settings.seed, "sample": settings.sample, "solver": settings.solver}
    drawn = {**noise, "fidelity": settings.fidelity} if settings.steps > 1 else {}
    if fills_holes:
        drawn |= {"wide_holes": "texture" if settings.has_texture else "mean"}
        if settings.has_texture:
            drawn = {"seed": settings.seed} | drawn
    return {
        "diffuse": __version__,
        "operation": op,
        "checkpoint": checkpoint,
        "dtype": dtype,
        "compile": compiled,
        "backend": settings.backend,
        "tile": tile_side(settings) or "off",
        "steps": settings.steps,
        **({"rounds": settings.rounds} if op in IN_ROUNDS else {}),
        **({"ensemble": True} if settings.ensemble else {}),
        **drawn,
    }


def of_average(computing: Recipe, samples: int) -> dict[str, Any]:
    """Return the same for the mean of so many samples."""
    return {**_of_several(computing, samples), "average": True}


def _of_several(computing: Recipe, samples: int) -> dict[str, Any]:
    return {**{key: value for key, value in computing.items() if key != "sample"}, "samples": samples}


def of_part(part: str, computing: Recipe, samples: int | None) -> dict[str, Any]:
    """Return the same for something beside the restored picture.

    Args:
        part: what it shows, such as "uncertainty".
        computing: as `of_computing` returns it.
        samples: behind it; None = the first sample alone.
    """
    told = {key: value for key, value in computing.items() if key != "fidelity"} | {"part": part}
    return told if samples is None else _of_several(told, samples)


def agrees(found: Recipe | None, wanted: Recipe) -> bool:
    """Return whether a recipe that was found says all that is wanted. It may say more, such as what was estimated."""
    if found is None:
        return False
    said = current(found)
    return all(key in said and said[key] == value for key, value in wanted.items())


def dump(recipe: Recipe) -> str:
    """Return a recipe as text. Equal recipes have equal texts."""
    return json.dumps(recipe, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def plain(recipe: Recipe) -> dict[str, Any]:
    """Return a recipe as it will be read again: tuples become lists."""
    return dict(json.loads(dump(recipe)))


def to_comment(recipe: Recipe) -> tuple[tuple[str, str], ...]:
    """Return a recipe as the comment of a clip, by keyword."""
    return (("comment", f"{_COMMENT.decode()}{dump(recipe)}"),)


def to_rdf(recipe: Recipe, before: str = "") -> bytes:
    """Return a recipe as an element of XMP, with IPTC's digital source type (Photo Metadata Standard 2023.1).

    Args:
        recipe: of the result.
        before: the input's type; "" = it said none. A stronger type stays. The recipe tells one that gives way.
    """
    kind = combined(before, fitting(recipe))
    if before and kind != before:
        recipe = {**recipe, "input_source_type": before}
    source_type = "" if kind is None else f' Iptc4xmpExt:DigitalSourceType="{html.escape(_uri(kind))}"'
    return (
        '<rdf:Description xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" rdf:about=""'
        f' xmlns:diffuse="{RECIPE_NAMESPACE}" xmlns:Iptc4xmpExt="{IPTC_NAMESPACE}"'
        f' diffuse:recipe="{html.escape(dump(recipe))}"{source_type}/>'
    ).encode()


def _uri(kind: str) -> str:
    """Return a term as its URI. What the input said in words of its own stays as it was."""
    return VOCABULARY + kind if kind.isalpha() else kind


# Found again ---------------------------------------------------------------------------------------------------------

_IN_XMP = re.compile(rb"diffuse:recipe(?:\s*=\s*'([^']*)'|\s*=\s*\"([^\"]*)\"|>([^<]*)<)")


def read(path: Path) -> dict[str, Any] | None:
    """Return the recipe in a picture's metadata; None where there is none or no such file. Decodes no pixels."""
    found = _embedded(path)
    return None if found is None else current(found)


def is_old(path: Path) -> bool:
    """Return whether the recipe in a picture's metadata has the form of an earlier version."""
    found = _embedded(path)
    return found is not None and current(found) != found


def _embedded(path: Path) -> dict[str, Any] | None:
    try:
        with skimmed(path) as file:
            head = file.read(12)
            file.seek(0)
            text = _of_clip(file) if is_clip(head) else _of_picture(file)
            recipe = None if text is None else json.JSONDecoder().raw_decode(text)[0]
    except (OSError, ValueError):
        return None
    return recipe if isinstance(recipe, dict) else None


def _of_picture(file: BinaryIO) -> str | None:
    """Return the recipe in a picture's XMP."""
    found = _IN_XMP.search(_metadata(file))
    return None if found is None else html.unescape(next(part for part in found.groups() if part is not None).decode())


def _of_clip(file: BinaryIO) -> str | None:
    """Return the recipe in a clip's comment. The last one counts: those of its inputs come before."""
    whole = _whole(file)
    at = whole.rfind(_COMMENT)
    return None if at < 0 else whole[at + len(_COMMENT) : at + 65536].decode("utf-8", "replace")


_ESTIMATED_IN_0_1_0: Final = {
    "noise": ("noise", "auto"), "noise by brightness": ("noise", "poisson"),
    "noise by brightness and place": ("noise", "auto-map"), "noise if blurred": ("noise", "if-blurred"),
    "jpeg": ("jpeg", "auto"), "blur": ("blur", "auto"),
}  # fmt: skip


def current(recipe: Recipe) -> dict[str, Any]:
    """Return a recipe in the form of this version. One of 0.1.0 lists phrases under "estimated".

    That version also told how wide holes are filled where none were. It knew no rounds, and called the backend engine.
    """
    recipe = {"backend" if key == "engine" else key: value for key, value in recipe.items()}
    before = {"rounds": 0} if recipe.get("operation") in IN_ROUNDS else {}
    if not isinstance(recipe.get("estimated"), list):
        return {**before, **recipe}
    said = {
        **before,
        **recipe,
        "estimated": dict(_ESTIMATED_IN_0_1_0.get(phrase, (phrase, "auto")) for phrase in recipe["estimated"]),
    }
    if recipe.get("operation") == "restore" and not any(recipe.get(key) for key in ("mask", "boxes", "polygons")):
        said.pop("wide_holes", None)
        if recipe.get("steps") == 1:
            said.pop("seed", None)
    return said


def _metadata(file: BinaryIO) -> bytes:
    """Return the bytes of a file that hold its XMP. Of common formats no pixels are read."""
    head = file.read(12)
    if head.startswith(b"\x89PNG"):
        before = itertools.takewhile(lambda part: part.name != b"IDAT", png_chunks(file))
        return b"\n".join(content(file, part) for part in before if part.name == b"iTXt")
    if head.startswith(b"\xff\xd8"):
        return b"\n".join(content(file, part) for part in jpeg_segments(file) if part.name == b"\xe1")
    if head.startswith(b"RIFF"):
        return next((content(file, part) for part in riff_chunks(file) if part.name == b"XMP "), b"")
    whole = _whole(file)
    at = whole.find(b"diffuse:recipe")
    return b"" if at < 0 else whole[at : at + 65536]


def _whole(file: BinaryIO) -> bytes | mmap.mmap:
    """Return the content of a file, which is not read before it is needed."""
    if isinstance(file, io.BytesIO):  # a pipe's
        return file.getvalue()
    try:
        descriptor = file.fileno()
    except io.UnsupportedOperation:  # a file in a store
        file.seek(0)
        return file.read()
    return mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ)
