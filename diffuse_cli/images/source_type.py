"""IPTC's vocabulary of digital source types."""

from collections.abc import Sequence
from typing import Final

VOCABULARY: Final = "http://cv.iptc.org/newscodes/digitalsourcetype/"


ALTERED: Final = "algorithmicallyEnhanced"


EDITED: Final = "compositeWithTrainedAlgorithmicMedia"


GENERATED: Final = "trainedAlgorithmicMedia"


COMPOSED: Final = "compositeCapture"


SYNTHETIC: Final = "compositeSynthetic"


_CAPTURED, _ALTERED, _MADE, _EDITED, _SYNTHETIC, _GENERATED = range(6)


_SAYS: Final = {
    **dict.fromkeys(("digitalCapture", "computationalCapture", "negativeFilm", "positiveFilm", "print"), _CAPTURED),
    **dict.fromkeys(("humanEdits", "minorHumanEdits", "screenCapture"), _CAPTURED),
    ALTERED: _ALTERED,
    **dict.fromkeys(("composite", COMPOSED, "virtualRecording", "digitalCreation", "digitalArt"), _MADE),
    **dict.fromkeys(("softwareImage", "dataDrivenMedia", "algorithmicMedia"), _MADE),
    EDITED: _EDITED,
    SYNTHETIC: _SYNTHETIC,
    GENERATED: _GENERATED,
}
"""How far a type is from a plain capture; what is retired is still found in files."""


_MEANINGS: Final = {
    ALTERED: "altered by an algorithm, nothing invented",
    EDITED: "edited using generative AI",
    GENERATED: "created using generative AI",
    COMPOSED: "composed from captures",
    SYNTHETIC: "a composite with synthetic parts",
}


def name_of(value: str) -> str:
    """Return the name of a term.

    Args:
        value: its URI or its name.
    """
    return value.strip().removeprefix(VOCABULARY).removeprefix(VOCABULARY.replace("http:", "https:"))


def combined(before: str, now: str | None) -> str | None:
    """Return the source type of a result. A type is never weakened.

    A type that is not in the vocabulary gives way to generative edits alone.

    Args:
        before: the input's type; "" = none.
        now: the type of what was done; None = none.
    """
    if now is None or not before:
        return now or before or None
    return before if _SAYS.get(before, _MADE) >= _SAYS[now] else now


def strongest(names: Sequence[str]) -> str:
    """Return the strongest of several types; "" = there are none.

    Args:
        names: from several parts of a file.
    """
    return max(names, key=lambda name: _SAYS.get(name, _MADE), default="")


def meaning(name: str) -> str:
    """Return what a type means, in brackets, if it is one that results get; else "".

    Args:
        name: of the type.
    """
    return f" ({_MEANINGS[name]})" if name in _MEANINGS else ""
