"""What a picture's file says about itself."""

from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any, Final

from PIL import Image

from ..images.content_credentials import manifest
from ..images.dicom_values import facts
from ..images.image_io import MAX_PIXELS, Picture, clip_facts, read_pages
from ..images.picture import frames_words
from ..images.xmp import has_manifest_elsewhere, values
from ..system.streams import opened
from . import recipe

_MAKE, _MODEL, _SOFTWARE, _ARTIST, _COPYRIGHT, _EXIF_IFD, _TAKEN = 271, 272, 305, 315, 33432, 0x8769, 36867
_DC: Final = "http://purl.org/dc/elements/1.1/"
LOSSLESS_CODINGS: Final = frozenset({"ffv1", "rawvideo", "wrapped_avframe", "huffyuv", "ffvhuff", "utvideo"})
"""FFmpeg's names of codings that lose nothing."""
_XMP: Final = "http://ns.adobe.com/xap/1.0/"


def about(path: Path, *, max_pixels: int = MAX_PIXELS) -> dict[str, Any]:
    """Return what a file is and says, as JSON holds it; None where it says nothing.

    Args:
        path: of the file.
        max_pixels: refuse a file with more.

    Returns:
        format, width, height (as displayed), pages, animation (frames, seconds, plays; 0 = without end; None = it is
        none), channels, alpha, depth ("8", "16", "float"), lossy, profile, dpi,
        made_by, digital_source_type (the strongest that XMP and a manifest say), content_credentials ("embedded",
        "linked" or None), dicom (see `dicom_values.facts`), clip (see `video.facts`), recipe.

    Raises:
        PictureError: the file cannot be read.
    """
    if (clip := clip_facts(path, max_pixels=max_pixels)) is not None:
        return _about_clip(path, clip)
    pages = read_pages(path, max_pixels=max_pixels)
    picture = next(pages)
    source = picture.source
    animation = None if source.frame is None else _animation(chain([picture], pages))
    pages.close()
    height, width, channels = picture.pixels.shape
    return {
        "format": source.format,
        "width": width,
        "height": height,
        "pages": source.pages if animation is None else 1,
        "animation": animation,
        "channels": channels,
        "alpha": picture.alpha is not None,
        "depth": "float" if picture.floating else str(source.bits or picture.white.bit_length()),
        "lossy": source.lossy,
        "profile": _profile(source.icc),
        "dpi": None if source.dpi is None else [round(dots, 2) for dots in source.dpi],
        "made_by": _made_by(picture),
        "digital_source_type": source.source_type or None,
        "content_credentials": _credentials(path, picture),
        "dicom": None if source.dicom is None else facts(source.dicom),
        "clip": None,
        "recipe": recipe.read(path),
    }


def _about_clip(path: Path, said: dict[str, Any]) -> dict[str, Any]:
    """Return the same of a clip. Its frames are as they are stored; players turn them."""
    return {
        "format": said["container"], "width": said["width"], "height": said["height"], "pages": 1, "animation": None,
        "channels": 1 if said["gray"] else 3, "alpha": False, "depth": str(said["bits"]),
        "lossy": said["clip"]["coding"] not in LOSSLESS_CODINGS, "profile": None, "dpi": None, "made_by": {},
        "digital_source_type": None, "content_credentials": None, "dicom": None, "clip": said["clip"],
        "recipe": recipe.read(path),
    }  # fmt: skip


def _clip_lines(said: dict[str, Any]) -> dict[str, str]:
    """Return the facts of a clip in words."""
    length = [f"{said['frames']} frames"] if said["frames"] else []
    length += [f"{said['seconds']:.2f} s"] if said["seconds"] else []
    hdr = f", HDR ({said['hdr']})" if said["hdr"] else ""
    chapters = [f"{said['chapters']} chapters"] if said["chapters"] else []
    return {
        "clip": ", ".join([*length, f"{said['rate']:g} frames a second", f"{said['coding']} ({said['pixels']}){hdr}"]),
        "beside": ", ".join([*said["streams"], *chapters]) or "nothing",
    }


def _animation(frames: Iterator[Picture]) -> dict[str, Any]:
    """Return how long an animation is."""
    shown = [picture.source.frame for picture in frames if picture.source.frame is not None]
    seconds = sum(frame.duration for frame in shown) / 1000
    return {"frames": len(shown), "seconds": round(seconds, 3), "plays": shown[0].plays}


def _profile(icc: bytes) -> str | None:
    """Return the name of a colour profile."""
    if not icc:
        return None
    import io

    from PIL import ImageCms

    try:
        return ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(icc))).strip()
    except (OSError, ImageCms.PyCMSError):
        return "damaged"


def _made_by(picture: Picture) -> dict[str, str]:
    """Return camera, program, people and time, as far as EXIF and XMP say them."""
    block = Image.Exif()
    if picture.source.exif:
        block.load(picture.source.exif)
    xmp = picture.source.xmp
    camera = " ".join(filter(None, (_text(block.get(_MAKE)), _text(block.get(_MODEL)))))
    found = {
        "camera": camera,
        "software": _text(block.get(_SOFTWARE)) or _first(values(xmp, _XMP, "CreatorTool")),
        "artist": _text(block.get(_ARTIST)) or _first(values(xmp, _DC, "creator")),
        "copyright": _text(block.get(_COPYRIGHT)) or _first(values(xmp, _DC, "rights")),
        "taken": _text(block.get_ifd(_EXIF_IFD).get(_TAKEN)),
    }
    return {key: value for key, value in found.items() if value}


def _text(value: object) -> str:
    return value.strip("\0 ") if isinstance(value, str) else ""


def _first(found: list[str]) -> str:
    return found[0] if found else ""


def _credentials(path: Path, picture: Picture) -> str | None:
    with opened(path) as file:
        if manifest(file):
            return "embedded"
    return "linked" if has_manifest_elsewhere(picture.source.xmp) else None


def _dicom_lines(said: dict[str, Any]) -> dict[str, str]:
    """Return the facts of a DICOM file in words."""
    sign, unit = "signed" if said["signed"] else "unsigned", f" {said['unit']}" if said["unit"] else ""
    low, high = said["range"]
    kind = [said["modality"] or "no modality", f"{said['bits']} bits", sign, said["coding"]]
    kind += ["inverted (MONOCHROME1)"] if said["inverted"] else []
    window, spacing = said["window"], said["spacing"]
    return {
        "DICOM": ", ".join(kind),
        "range": f"{low:g} to {high:g}{unit}; one level of noise is {said['level']:.3g}{unit}",
        "window": "none" if window is None else f"{window[0]:g}, width {window[1]:g}",
        "spacing": "not stated" if spacing is None else f"{spacing[0]:g} x {spacing[1]:g} mm",
    }


def lines(said: dict[str, Any], meaning: Callable[[str], str]) -> list[str]:
    """Return the same for people, one fact a line.

    Args:
        said: what `about` returned.
        meaning: returns a digital source type in words; "" = unknown.
    """
    colours = "gray" if said["channels"] == 1 else "colour"
    parts = [
        f"{said['format']}, {said['width']}x{said['height']}", f"{said['depth']} bit".replace("float bit", "float"),
        colours, "with alpha" if said["alpha"] else "no alpha", "lossy" if said["lossy"] else "lossless",
    ]  # fmt: skip
    parts += [f"{said['pages']} pages"] if said["pages"] > 1 else []
    if (animation := said["animation"]) is not None:
        plays = {0: "without end", 1: "once"}.get(animation["plays"], f"{animation['plays']} times")
        parts += [frames_words(animation["frames"], animation["seconds"]), f"played {plays}"]
    kind = said["digital_source_type"]
    credentials = {None: "none", "embedded": "C2PA manifest embedded", "linked": "C2PA manifest linked"}
    found = {
        "picture": ", ".join(parts),
        "profile": said["profile"] or "none",
        "resolution": "not stated" if said["dpi"] is None else "x".join(f"{dots:g}" for dots in said["dpi"]) + " dpi",
        **said["made_by"],
        "source type": "not stated" if kind is None else f"{kind}{meaning(kind)}",
        "credentials": credentials[said["content_credentials"]],
        **({} if said["dicom"] is None else _dicom_lines(said["dicom"])),
        **({} if said["clip"] is None else _clip_lines(said["clip"])),
        "recipe": "none" if said["recipe"] is None else recipe.dump(said["recipe"]),
    }
    return [f"{name + ':':<13} {value}" for name, value in found.items()]
