"""IPTC's digital source type: which one fits a result, and which of two says more (vocabulary of September 2024).

Our reading, where IPTC leaves room. A posterior mean invents nothing: what it cannot know stays blurred, so denoising,
repair and enlarging by the mean are `algorithmicallyEnhanced`, IPTC's "Algorithmically-altered media". A posterior
sample draws the detail that it shows, and filled pixels were never seen: both are
`compositeWithTrainedAlgorithmicMedia`, "Edited using Generative AI", which names in- and outpainting. Composed
photographs are `compositeCapture`, or with a seam that was painted anew `compositeSynthetic`.
"""

from collections.abc import Mapping
from typing import Any

from ..images.source_type import ALTERED, COMPOSED, EDITED, GENERATED, SYNTHETIC


def fitting(recipe: Mapping[str, Any]) -> str | None:
    """What a recipe makes of a photograph; None = it is not changed, or nobody knows."""
    operation = recipe.get("operation")
    if operation is None or "part" in recipe or _changes_nothing(recipe):
        return None  # a map of the uncertainty and the like is no picture of anything
    if operation == "generate":
        return GENERATED
    if operation == "degrade":
        return ALTERED
    if operation == "compose":
        return COMPOSED if recipe.get("blend") != "seam" or recipe.get("band") == 0 else SYNTHETIC
    filled = _fills(recipe) or operation in ("inpaint", "extend")
    drawn = recipe["fidelity"] < 1 if "fidelity" in recipe else recipe.get("steps", 1) > 1
    return EDITED if filled or drawn else ALTERED


def _changes_nothing(recipe: Mapping[str, Any]) -> bool:
    """A picture in which nothing was found, or nothing was to be removed."""
    operation, strengths = recipe.get("operation"), (recipe.get("strength", 1), recipe.get("chroma_strength", 1))
    if operation == "denoise":
        return recipe.get("noise") == 0 or strengths == (0, 0)
    if operation == "stylize":
        return recipe.get("strength") == 0
    if operation not in ("restore", "deblur", "dejpeg") or _fills(recipe):
        return False
    found = (recipe.get("noise", 0), recipe.get("jpeg", 100), recipe.get("blur", 0), recipe.get("scale", 1))
    return found == (0, 100, 0, 1)


def _fills(recipe: Mapping[str, Any]) -> bool:
    return any(recipe.get(key) for key in ("mask", "boxes", "polygons"))
