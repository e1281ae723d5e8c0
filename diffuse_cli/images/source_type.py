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
    """The term's name, from its URI or as it stands."""
    return value.strip().removeprefix(VOCABULARY).removeprefix(VOCABULARY.replace("http:", "https:"))


def combined(before: str, now: str | None) -> str | None:
    """What a result is to say whose input said `before` ("" = nothing): nothing is ever weakened.

    A term that is not in the vocabulary gives way to generative edits alone.
    """
    if now is None or not before:
        return now or before or None
    return before if _SAYS.get(before, _MADE) >= _SAYS[now] else now


def strongest(names: Sequence[str]) -> str:
    """Of what several parts of a file say; "" = nothing."""
    return max(names, key=lambda name: _SAYS.get(name, _MADE), default="")


def meaning(name: str) -> str:
    """What a term says, in brackets, where it is one that results get."""
    return f" ({_MEANINGS[name]})" if name in _MEANINGS else ""
