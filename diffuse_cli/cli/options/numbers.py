"""Numbers as options give them."""

import re
from typing import Literal

from ...errors import UsageError


def whole_number(name: str, text: str) -> int:
    """Return an option's text as an int.

    Args:
        name: the option, without dashes.
        text: what it was given.

    Raises:
        UsageError: the text is no whole number.
    """
    try:
        return int(text)
    except ValueError:
        raise UsageError(f"--{name} {text}: not a whole number; give one") from None


def number_or_auto(name: str, text: str) -> float | Literal["auto"]:
    """Return an option's text as a float, or "auto" as it is.

    Args:
        name: the option, without dashes.
        text: what it was given.

    Raises:
        UsageError: the text is neither.
    """
    if text == "auto":
        return "auto"
    try:
        return float(text)
    except ValueError:
        raise UsageError(f"--{name} {text}: not a number; give one, or auto") from None


def byte_count(name: str, text: str) -> int:
    """Return a number of bytes. K, M, G and T are powers of 1024.

    Args:
        name: the option, without dashes.
        text: what it was given.

    Raises:
        UsageError: the text is no such number.
    """
    found = re.fullmatch(r"(\d+(?:\.\d*)?)\s*([KMGT]?)(?:I?B)?", text.strip().upper())
    if found is None:
        raise UsageError(f"--{name} {text}: not a size; give it like 800M or 2G")
    return round(float(found[1]) * 1024.0 ** " KMGT".index(found[2] or " "))


def two_numbers(name: str, text: str) -> tuple[int, int]:
    """Return WxH as (width, height).

    Args:
        name: the option, without dashes.
        text: what it was given.

    Raises:
        UsageError: the text is something else.
    """
    parts = text.lower().split("x")
    if len(parts) != 2:
        raise UsageError(f"--{name} {text}: not a size; give it as WIDTHxHEIGHT, like 800x600")
    return whole_number(name, parts[0]), whole_number(name, parts[1])
