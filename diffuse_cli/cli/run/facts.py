"""What recipes say of a picture once it is read."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ...images.picture import Picture
    from ...restoration.problem import Problem


def problem_facts(wanted: Mapping[str, Any], problem: "Problem") -> dict[str, Any]:
    """Return what is known once the picture is read: what was estimated, and what follows from its size."""
    from ...images.units import LEVEL

    found: dict[str, Any] = dict(problem.findings.facts)
    what, estimated = problem.degradation, wanted.get("estimated", {})
    if "noise" in estimated:
        found["noise"] = what.noise * LEVEL
    if "jpeg" in estimated:
        found["jpeg"] = what.quality
    if "blur" in estimated:
        exact = None if problem.guide is None else problem.guide.linear
        found["blur"] = (what.blur if exact is None else exact.blur) / what.scale
    if problem.guide is not None:
        found["scale"] = what.scale
        found |= {"jpeg_quality": what.quality} if what.quality < 100 else {}
    if problem.size is not None:
        found["size"] = [problem.size[1], problem.size[0]]
    return found


def file_facts(picture: "Picture") -> dict[str, Any]:
    """Return the number of frames, or the share of a damaged picture that was filled."""
    damage, frame = picture.source.damage, picture.source.frame
    if frame is not None:
        return {"frames": picture.source.pages}
    return {"missing": float(damage.fillable.mean())} if damage is not None and damage.is_filled else {}
