"""Turn a recipe into the command line that makes the same again.

A recipe's keys are options' names, so a new option needs nothing here unless its key is named differently. What a
recipe says beside options (estimates, hashes) is made again by the command, and the new recipe is compared with it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ..errors import UsageError
from ..system.files import file_sha256

if TYPE_CHECKING:
    from ..images.picture import Picture

_OPTION_OF_KEY: Final = {"boxes": "box", "polygons": "polygon", "samples": "count", "first_frames": "frames"}
"""Options that recipes call otherwise: the plural, or what they mean."""
_SHA256: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Option:
    """An option of a command.

    Attributes:
        flag: as it is given, such as --chroma-strength.
        switch: it takes no value.
        many: it may be repeated.
    """

    flag: str
    switch: bool = False
    many: bool = False


def arguments(recipe: Mapping[str, Any], options: Mapping[str, Option], given: Mapping[str, Path]) -> list[str]:
    """Return the arguments that say what a recipe says.

    Args:
        recipe: of the result.
        options: of the recipe's command, by their names.
        given: files that the recipe knows by their hashes, by the option's name.

    Raises:
        UsageError: such a file is missing, or it is another one.
    """
    asked = _asked(recipe)
    found: list[str] = []
    for key, value in asked.items():
        name = _option_of(key, value, options)
        if name is None or value is None or value is False:
            continue
        option = options[name]
        if option.switch:
            found.append(option.flag)
        elif option.many:
            found += [part for one in value for part in (option.flag, _text(one))]
        elif isinstance(value, str) and _SHA256.fullmatch(value):
            found += [option.flag, str(_same_file(given, name, value, option.flag))]
        else:
            found += [option.flag, _text(value, name)]
    return found


def _asked(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """Return what was asked for, without what was estimated or follows from it."""
    asked = dict(recipe)
    asked |= asked.pop("estimated", {})
    asked.pop("frames", None)  # how many there were
    if asked.get("noise") == "if-blurred":  # as the command has it by itself, or by --only
        del asked["noise"]
    if isinstance(asked.get("noise"), str):  # a grain is read with the level
        asked.pop("grain", None)
    if asked.pop("if_worn", False):  # as `repair` has it by itself
        del asked["mask"]
    if {"to_size", "long_edge"} & asked.keys():
        asked.pop("scale", None)
    if asked.get("operation") == "super-resolve":
        asked.setdefault("plain", not asked.get("consistent"))  # of results from before pictures were looked at
    if asked.get("operation") == "generate" and "samples" in asked:
        asked["grid"] = True
    if asked.get("steps") == 1 and asked.get("wide_holes") == "texture":
        del asked["steps"]  # said or not, one step is the mean; said, it is also that of wide holes
    if isinstance(asked.get("format"), str):
        asked["format"] = asked["format"].lower()
    return asked


def _option_of(key: str, value: object, options: Mapping[str, Option]) -> str | None:
    """Return the option that a key stands for, if it is one of the command's."""
    if key == "mask" and "mask_random" in options:
        return "mask_random"
    return next((name for name in (key, _OPTION_OF_KEY.get(key, "")) if name in options), None)


def _text(value: object, name: str = "") -> str:
    """Return a value as a command line has it: sizes as WxH, other lists with commas."""
    if isinstance(value, list):
        return ("x" if name.endswith("size") else ",").join(map(_text, value))
    return repr(value) if isinstance(value, float) else str(value)


def _same_file(given: Mapping[str, Path], name: str, sha256: str, flag: str) -> Path:
    if name not in given:
        raise UsageError(f"{flag}: the recipe used a file with sha256 {sha256}; give it again with {flag} FILE")
    found = file_sha256(given[name], UsageError)
    if found != sha256:
        raise UsageError(f"{given[name]}: is not the file of the recipe; its sha256 is {found}, not {sha256}")
    return given[name]


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Return what two recipes say differently, in words."""
    keys = sorted(before.keys() | after.keys())
    return [f"{key} {before.get(key)} -> {after.get(key)}" for key in keys if before.get(key) != after.get(key)]


def pixel_difference(before: Path, after: Path) -> str:
    """Return how two pictures differ, in words; "" = not at all.

    Raises:
        PictureError: one of them cannot be read.
    """
    from ..images.image_io import read_pages

    for number, (a, b) in enumerate(zip_longest(read_pages(before), read_pages(after)), start=1):
        if a is None or b is None:
            return "the files have different numbers of pages or frames"
        if found := _difference(a, b):
            return found if a.source.pages == 1 else f"page or frame {number}: {found}"
    return ""


def _difference(a: "Picture", b: "Picture") -> str:
    import numpy as np

    from ..images.white_level import on_scale_of

    b = on_scale_of(b, a)
    if a.pixels.shape != b.pixels.shape or (a.alpha is None) != (b.alpha is None) or a.depth != b.depth:
        return "the pictures have other sizes, channels or depths"
    if a.alpha is not None and b.alpha is not None and (a.alpha != b.alpha).any():
        return "the transparency differs"
    worst = float(np.abs(a.pixels - b.pixels).max()) * 127.5
    return "" if worst == 0 else f"the pixels differ by up to {worst:.3g} of 255 levels"
