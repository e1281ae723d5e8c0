"""The published classics as baselines, if their packages are installed.

Each takes a case and returns rounded levels (H, W, C). The strengths of non-local means (0.9 noise stds) and total
variation (1.2) were chosen on five training photographs, from 0.4 .. 1.2 and 0.4 .. 1.5.
"""

import importlib
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..degradation.operators import resize
from ..images.units import LEVEL
from .conditions import Condition
from .protocol import Case

Levels = NDArray[Any]
Method = Callable[[Case], Levels]
EXTRA = "pip install 'diffuse-cli[eval]'"


def free(condition: Condition) -> dict[str, Method]:
    """Return the baselines that are always measured: the input of noisy photographs."""
    return dict(_CORE[condition.task]) if condition.is_photograph else {}


def available(task: str) -> tuple[dict[str, Method], list[str]]:
    """Return the baselines of a task by name, and the packages that are missing for others."""
    found: dict[str, Method] = dict(_CORE.get(task, {}))
    missing = []
    for module, method_of in _OPTIONAL.get(task, {}).items():
        try:
            importlib.import_module(module)
        except ImportError:
            missing.append(module)
        else:
            found |= method_of
    return found, missing


def untouched(case: Case) -> Levels:
    """Return the damaged picture itself; it is clipped only if the protocol clips it."""
    unclipped = case.damaged.in_levels()
    return unclipped if case.damaged.depth == 16 else case.damaged_levels


def bicubic(case: Case) -> Levels:
    """Enlarge by bicubic with a = -0.5, as the network's guide."""
    x = torch.from_numpy(case.damaged.pixels.transpose(2, 0, 1).copy())[None]
    large = resize(x, (case.clean.shape[0], case.clean.shape[1]))[0].permute(1, 2, 0).numpy()
    return _rounded((large + 1) * LEVEL)


def non_local_means(case: Case) -> Levels:
    """Denoise by OpenCV's fastNlMeansDenoising (Buades et al. 2011), patches of 7, windows of 21."""
    import cv2

    levels = np.ascontiguousarray(case.damaged_levels)
    strength = 0.9 * case.noise.level
    if levels.shape[2] == 1:
        return _like(cv2.fastNlMeansDenoising(levels[..., 0], None, strength, 7, 21), case)
    bgr = cv2.fastNlMeansDenoisingColored(levels[..., ::-1].copy(), None, strength, strength, 7, 21)
    return _like(np.asarray(bgr)[..., ::-1], case)


def total_variation(case: Case) -> Levels:
    """Denoise by scikit-image's denoise_tv_chambolle (Chambolle 2004)."""
    from skimage.restoration import denoise_tv_chambolle

    weight = 1.2 * case.noise.level / 255
    return _unit_result(denoise_tv_chambolle(_unit_input(case), weight=weight, channel_axis=2), case)


def bm3d(case: Case) -> Levels:
    """Denoise by BM3D (Dabov et al. 2007), its authors' package; it is free for non-commercial use only."""
    from bm3d import bm3d as gray
    from bm3d import bm3d_rgb as colour

    x, sigma = _unit_input(case), case.noise.level / 255
    return _unit_result(gray(x[..., 0], sigma) if x.shape[2] == 1 else colour(x, sigma), case)


def telea(case: Case) -> Levels:
    """Inpaint by OpenCV's inpaint (Telea 2004), radius 5."""
    import cv2

    return _inpainted(case, cv2.INPAINT_TELEA)


def navier_stokes(case: Case) -> Levels:
    """Inpaint by OpenCV's inpaint (Bertalmio et al. 2001), radius 5."""
    import cv2

    return _inpainted(case, cv2.INPAINT_NS)


def biharmonic(case: Case) -> Levels:
    """Inpaint by scikit-image's inpaint_biharmonic (Damelin and Hoang 2018)."""
    from skimage.restoration import inpaint_biharmonic

    filled = inpaint_biharmonic(_unit_input(case), case.problem.hole, channel_axis=2, split_into_regions=True)
    return _unit_result(filled, case)


def richardson_lucy(case: Case) -> Levels:
    """Deblur by scikit-image's Richardson-Lucy deconvolution (1972, 1974), 10 iterations with the true kernel."""
    from skimage.restoration import richardson_lucy as deconvolve

    std = case.condition.level
    t = np.arange(-np.ceil(4 * std), np.ceil(4 * std) + 1)
    line = np.exp(-0.5 * (t / std) ** 2)
    kernel, reach = np.outer(line, line) / line.sum() ** 2, len(t)
    padded = np.pad(_unit_input(case), ((reach, reach), (reach, reach), (0, 0)), mode="reflect")
    planes = [deconvolve(padded[..., c], kernel, num_iter=10) for c in range(padded.shape[2])]
    return _unit_result(np.stack(planes, 2)[reach:-reach, reach:-reach], case)


def _inpainted(case: Case, method: int) -> Levels:
    import cv2

    levels = np.ascontiguousarray(case.damaged_levels)
    plane = levels[..., 0] if levels.shape[2] == 1 else levels
    return _like(cv2.inpaint(plane, np.asarray(case.problem.hole, np.uint8), 5, method), case)


def _unit_input(case: Case) -> NDArray[np.float64]:
    """Return the damaged picture (H, W, C) in 0..1; it is not clipped if the protocol does not clip."""
    unit: NDArray[np.float64] = (case.damaged.pixels.astype(np.float64) + 1) / 2
    return unit


def _unit_result(x: NDArray[Any], case: Case) -> Levels:
    return _like(_rounded(x * 255), case)


def _like(levels: NDArray[Any], case: Case) -> Levels:
    return np.asarray(levels).reshape(case.clean.shape)


def _rounded(levels: NDArray[Any]) -> NDArray[np.uint8]:
    return np.round(levels).clip(0, 255).astype(np.uint8)


_CORE: dict[str, dict[str, Method]] = {
    **{task: {"the input": untouched} for task in ("denoise", "camera", "film", "pairs")},
    "jpeg": {"the input": untouched},
    "deblur": {"the input": untouched},
    "super-resolve": {"bicubic": bicubic},
    "restore": {"bicubic": bicubic},
}
_PHOTOGRAPH: dict[str, dict[str, Method]] = {"cv2": {"non-local means": non_local_means}, "bm3d": {"BM3D": bm3d}}
_OPTIONAL: dict[str, dict[str, dict[str, Method]]] = {
    **dict.fromkeys(("camera", "film", "pairs"), _PHOTOGRAPH),
    "denoise": {
        "cv2": {"non-local means": non_local_means},
        "skimage": {"total variation": total_variation},
        "bm3d": {"BM3D": bm3d},
    },
    "inpaint": {
        "cv2": {"Telea": telea, "Navier-Stokes": navier_stokes},
        "skimage": {"biharmonic": biharmonic},
    },
    "deblur": {"skimage": {"Richardson-Lucy": richardson_lucy}},
}
