"""Earlier frames of a clip as one more observation of the next: moved by optical flow, with its own noise per pixel.

Frames are fused as they come, before the network, so that their noise stays white and independent: a Kalman filter
whose state is the picture, and whose prediction is the flow.
"""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from ..diffusion.fusion import fuse
from ..errors import PictureError
from ..images.picture import Picture
from ..images.tensors import to_array, to_tensor
from ..images.units import LEVEL
from .problem import GuidePicture, NoisyPicture, Problem

Map = NDArray[np.float32]

MOST_OFF: Final = 1.0
"""Pixels by which flow forward and back may miss."""
LEAST_OFF: Final = 0.1
"""Pixels by which flow always misses."""
LEAST_SHARE: Final = 0.2
"""If less than this share of a frame is found in the one before, a new scene begins."""
REPEATED: Final = 0.3
"""Two frames that differ by less than this share of their noise have the same noise."""
WINDOW: Final = 7
"""Side in pixels of the window in which what the flow predicts is compared with the frame."""
NOTHING: Final = 2.0
"""Std of what is not known at all, [-1, 1] units."""
DOUBT: Final = 1.3
"""Factor of the square between a frame and what is predicted that noise explains."""
MOST_APART: Final = 3.0
"""The same factor, beyond which what is predicted is another thing."""
SLACK: Final = 4.0
"""Times the square that noise does not explain is added to the variance of what is predicted."""

WINDOWS: Final = (2.0, 5.0)
"""Stds in pixels of the windows in which a frame and what is predicted are compared in their means."""
REGION: Final = 4.0
"""Std of the region over which squared differences of the means are averaged, as a multiple of the window's."""
DRIFTED: Final = 1.35
"""Factor of a region's squared differences of the means that noise explains."""
LEAST_VARIANCE: Final = 1e-8
"""Of what is exact, [-1, 1] units."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Known:
    """What the frames so far tell of the last one.

    Attributes:
        pixels: (H, W, C), the frames fused, [-1, 1] units.
        sigma: (H, W), std of their noise.
        frame: (H, W, C), the last frame as it was read.
    """

    pixels: Map
    sigma: Map
    frame: Map


class EarlierFrames:
    """What is known of a clip's frames from those before. One clip at a time, frame by frame."""

    def __init__(self) -> None:
        """Begin before the first frame."""
        self.known: Known | None = None
        self.result: Map | None = None
        self.scenes = self.repeats = 0

    def repeated(self, picture: Picture, problem: Problem) -> Picture | None:
        """Return the result of a frame that is the one before, shown again; None = it is not.

        Args:
            picture: the frame.
            problem: what is known of it.
        """
        known, noise = self.known, _noise(problem)
        if known is None or self.result is None or known.frame.shape != picture.pixels.shape:
            return None
        difference = float(np.sqrt(np.mean((picture.pixels - known.frame) ** 2)))
        if difference > REPEATED * float(noise.mean() if isinstance(noise, np.ndarray) else noise):
            return None
        self.repeats += 1
        return replace(picture, pixels=self.result)

    def joined(self, picture: Picture, problem: Problem) -> Problem:
        """Return the problem of a frame with what earlier frames tell of it.

        Args:
            picture: the frame.
            problem: what is known of it alone.
        """
        if not is_noisy(problem):
            self.known = None
            return problem
        frame, sigma = (problem.picture or picture).pixels, _sigma(problem, picture)
        before = None if self.known is None or self.known.pixels.shape != frame.shape else self.known
        predicted = None if before is None else _predicted(before, frame, np.minimum(sigma, NOTHING))
        if predicted is None:
            self.scenes += 1
            self.known = Known(pixels=frame, sigma=np.minimum(sigma, NOTHING), frame=picture.pixels)
            return problem
        pixels, after = _fused(frame, sigma, *predicted)
        self.known = Known(pixels=pixels, sigma=np.minimum(after, NOTHING), frame=picture.pixels)
        return _with(problem, picture, pixels, after)

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return all that is known, so that another run can go on from here."""
        found: dict[str, NDArray[Any]] = {"counts": np.array([self.scenes, self.repeats])}
        if self.known is not None:
            found |= {"pixels": self.known.pixels, "sigma": self.known.sigma, "frame": self.known.frame}
        return found if self.result is None else {**found, "result": self.result}

    def go_on(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Go on where another run was.

        Args:
            arrays: what its `to_arrays` returned.
        """
        self.scenes, self.repeats = (int(count) for count in arrays["counts"])
        self.result = arrays.get("result")
        if "pixels" in arrays:
            self.known = Known(pixels=arrays["pixels"], sigma=arrays["sigma"], frame=arrays["frame"])

    def words(self) -> str:
        """Return what was found, in words."""
        scenes = f"{self.scenes} scene{'s' if self.scenes != 1 else ''}"
        return f"{scenes}, {self.repeats} repeated frame{'s' if self.repeats != 1 else ''}"

    def done(self, result: Picture) -> None:
        """Keep the result of the last frame.

        Args:
            result: the restored frame.
        """
        self.result = result.pixels


def is_noisy(problem: Problem) -> bool:
    """Return whether a frame has noise that earlier frames can lower, and nothing that depends on the frame alone.

    Args:
        problem: what is known of the frame.
    """
    seen = problem.observation
    if isinstance(seen, GuidePicture):
        return seen.degradation.noise > 0 and seen.linear is None and problem.finish.blocks is None
    return isinstance(seen, NoisyPicture) and seen.noise > 0 and problem.finish.blocks is None


def _noise(problem: Problem) -> float | Map:
    """Return the std of a frame's noise, per pixel where it varies."""
    seen = problem.observation
    sigma_y = seen.sigma_y if isinstance(seen, GuidePicture | NoisyPicture) else None
    return problem.degradation.noise if sigma_y is None else sigma_y


def _sigma(problem: Problem, picture: Picture) -> Map:
    """Return the std of a frame's noise at each pixel (H, W), inf where it is missing."""
    sigma = np.array(np.broadcast_to(np.asarray(_noise(problem), np.float32), picture.pixels.shape[:2]))
    if problem.hole is not None:
        sigma[problem.hole] = np.inf
    return sigma


def _with(problem: Problem, picture: Picture, pixels: Map, sigma: Map) -> Problem:
    """Return the problem of the fused picture. Only what no frame shows is still missing."""
    seen, own = problem.observation, problem.picture or picture
    hole = np.isinf(sigma)
    pixels, sigma = np.where(hole[..., None], own.pixels, pixels), np.where(hole, np.float32(0), sigma)
    level = float(np.sqrt(np.mean(sigma[~hole] ** 2))) if not hole.all() else 0.0
    if isinstance(seen, GuidePicture):
        seen = replace(seen, degradation=replace(seen.degradation, noise=level), sigma_y=sigma)
    else:
        seen = NoisyPicture(noise=level, sigma_y=sigma, by_levels=True)
    finish = replace(problem.finish, beneath=problem.finish.beneath or own)
    left = hole if hole.any() else None
    return replace(problem, picture=replace(own, pixels=pixels), observation=seen, hole=left, finish=finish)


# Prediction ----------------------------------------------------------------------------------------------------------


def _predicted(before: Known, frame: Map, sigma: Map) -> tuple[Map, Map] | None:
    """Return what is known of a frame by those before, and its std; None = it is another scene.

    Args:
        before: what is known of the frame before.
        frame: (H, W, C), the frame.
        sigma: (H, W), std of its noise.
    """
    cv2 = opencv()
    level = float(np.sqrt(np.mean(sigma**2)))
    old, new = _seen(before.pixels, level), _seen(frame, level)
    back, on = _flow(new, old), _flow(old, new)
    off = back + _moved(on, back)
    miss = np.sqrt((off**2).sum(2))
    pixels = _moved(before.pixels, back, cv2.INTER_LANCZOS4).reshape(frame.shape)
    variance = _moved(before.sigma, back) ** 2
    variance = variance + _slope(pixels, level) * (miss**2 + LEAST_OFF**2) / 2
    apart, explained = _apart(frame - pixels), _near(variance + sigma**2)
    lost = (miss > MOST_OFF) | _outside(back) | (apart > MOST_APART * explained)
    variance = np.where(lost, np.float32(np.inf), variance + SLACK * np.maximum(apart - DOUBT * explained, 0))
    # Where there is nothing to hold on to, flow is lost in the noise. Often nothing moves there.
    unmoved = lost & (_apart(frame - before.pixels) <= DOUBT * _near(before.sigma**2 + sigma**2))
    pixels = np.where(unmoved[..., None], before.pixels, pixels)
    variance = np.where(unmoved, before.sigma**2, variance)
    variance = variance + _drifted(frame - pixels, np.minimum(variance, NOTHING**2) + sigma**2)
    if (lost & ~unmoved).mean() > 1 - LEAST_SHARE:
        return None
    return pixels, np.sqrt(variance).astype(np.float32)


def _drifted(difference: Map, explained: Map) -> Map:
    """Return the variance that is missing where the means of what is predicted and of the frame differ.

    Where the contrast is below the noise, flow follows the noise, and each pixel's difference looks like noise. Their
    mean does not, and a denoiser cannot tell it from the picture. It counts as noise whose mean would be as large.

    Args:
        difference: (H, W, C), of the frame and what is predicted.
        explained: (H, W), the variance that it should have.
    """
    explained = np.maximum(explained, np.float32(LEAST_VARIANCE))
    of_gray = explained * _share_of_gray(difference, explained)
    kinds = ((difference, explained), (difference.mean(2, keepdims=True), of_gray))
    biases = [_bias(of, expected, window) for of, expected in kinds for window in WINDOWS]
    missing: Map = np.max(biases, axis=0) * explained
    return missing


def _share_of_gray(difference: Map, explained: Map) -> float:
    """Return the variance of the mean of the channels' noise, as a share of the channels'. It is 1 for gray noise.

    Args:
        difference: (H, W, C), of the frame and what is predicted.
        explained: (H, W), the variance that it should have.
    """
    cv2 = opencv()
    fine = difference - cv2.GaussianBlur(difference, (0, 0), WINDOWS[0]).reshape(difference.shape)
    of_gray = float(np.mean(fine.mean(2) ** 2 / explained))
    of_all = float(np.mean((fine**2).mean(2) / explained))
    return of_gray / of_all if of_gray > 0 else 1.0


def _bias(difference: Map, expected: Map, window: float) -> Map:
    """Return the expected square of what a mean is off by, as a multiple of what noise explains.

    What a mean is off by is taken for Gaussian. Its variance is what the means around it have beyond their noise.

    Args:
        difference: (H, W, C), of the frame and what is predicted.
        expected: (H, W), the variance that it should have.
        window: std in pixels of the window of the mean.
    """
    cv2 = opencv()
    share = np.float32(1 / (4 * np.pi * window**2))  # of the variance of white noise, which is left in such a mean
    of_noise = share * cv2.GaussianBlur(expected, (0, 0), window)
    mean = cv2.GaussianBlur(difference, (0, 0), window).reshape(difference.shape)
    found = (mean**2).mean(2) / of_noise
    beyond = np.maximum(cv2.GaussianBlur(found, (0, 0), REGION * window) - DRIFTED, 0)
    trust = beyond / (beyond + 1)
    bias: Map = trust**2 * found + trust
    return bias


def _apart(difference: Map) -> Map:
    """Return the mean square of a difference around each pixel."""
    return _near((difference**2).mean(2))


def _near(values: Map) -> Map:
    """Return the mean of values (H, W) around each pixel."""
    cv2 = opencv()
    mean: Map = cv2.boxFilter(values, -1, (WINDOW, WINDOW))
    return mean


def _fused(frame: Map, sigma: Map, pixels: Map, other: Map) -> tuple[Map, Map]:
    """Return two observations as one, and its std."""
    one, two = (torch.from_numpy(np.ascontiguousarray(s))[None, None] for s in (sigma, other))
    channels = frame.shape[2]
    x, std = fuse(to_tensor(frame), one, to_tensor(pixels), two)
    return to_array(x, channels), std[0, 0].numpy()


def _seen(pixels: Map, noise: float) -> NDArray[np.uint8]:
    """Return what flow is looked for in: luma of 8 bits, smoothed by more where there is more noise."""
    cv2 = opencv()
    gray = pixels.mean(2)
    smooth = cv2.GaussianBlur(gray, (0, 0), min(0.5 + noise * LEVEL / 20, 2.5))
    levels: NDArray[np.uint8] = ((smooth + 1) * LEVEL).clip(0, 255).astype(np.uint8)
    return levels


def _flow(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> Map:
    """Return where each pixel of one picture is in the other: (H, W, 2), to the right and down, in pixels."""
    cv2 = opencv()
    flow = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    found: Map = flow.calc(one, other, None)
    return found


def _moved(values: Map, flow: Map, how: int | None = None) -> Map:
    """Return values (H, W, ...) taken from where a flow leads."""
    cv2 = opencv()
    rows, columns = np.indices(flow.shape[:2], np.float32)
    how = cv2.INTER_LINEAR if how is None else how
    moved: Map = cv2.remap(values, columns + flow[..., 0], rows + flow[..., 1], how, borderMode=cv2.BORDER_REPLICATE)
    return moved


def _outside(flow: Map) -> NDArray[np.bool_]:
    """Return where a flow leads out of the picture."""
    height, width = flow.shape[:2]
    rows, columns = np.indices((height, width), np.float32)
    x, y = columns + flow[..., 0], rows + flow[..., 1]
    outside: NDArray[np.bool_] = (x < 0) | (y < 0) | (x > width - 1) | (y > height - 1)
    return outside


def _slope(pixels: Map, noise: float) -> Map:
    """Return the squared gradient of a picture, without its noise's."""
    cv2 = opencv()
    smooth = cv2.GaussianBlur(pixels, (0, 0), 1.0).reshape(pixels.shape)
    down, right = np.gradient(smooth, axis=(0, 1))
    squared: Map = (down**2 + right**2).mean(2)
    return squared


def opencv() -> Any:  # noqa: ANN401 - a library that may not be there
    """Return OpenCV.

    Raises:
        PictureError: it is not installed.
    """
    try:
        return importlib.import_module("cv2")
    except ImportError:
        raise PictureError(
            "--temporal on needs the extra [video]: pip install 'diffuse-cli[video]'; or give --temporal off"
        ) from None
