"""IPTC's digital source type of a result (vocabulary of September 2024).

The vocabulary leaves room. Each task says how it reads it, in `source_type`:

- A posterior mean is `algorithmicallyEnhanced`, "Algorithmically-altered media".
- Filled pixels and a posterior sample are `compositeWithTrainedAlgorithmicMedia`, "Edited using Generative AI".
- A composed photograph is `compositeCapture`, or `compositeSynthetic` if its seam is painted anew.
"""

from collections.abc import Mapping
from typing import Any

from ..images.source_type import ALTERED, EDITED, GENERATED


def fitting(recipe: Mapping[str, Any]) -> str | None:
    """Return the term for what a recipe makes of a photograph.

    Returns:
        None if the photograph is not changed, or the result is no picture of anything, such as a map of uncertainty.
    """
    from ..tasks.by_name import TASKS

    operation = recipe.get("operation", "")
    if recipe.get("part") not in (None, "show-fill"):
        return None
    if operation in TASKS:
        if recipe.get("missing"):  # rows of a damaged file were filled
            return EDITED
        return TASKS[operation].source_type(recipe)
    return {"generate": GENERATED, "degrade": ALTERED}.get(operation)
