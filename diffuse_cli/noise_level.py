"""How strong the white noise in a picture is, from the picture alone.

Everything here is in 8-bit levels (0..255), whatever the file's depth. Two numbers answer two questions: `level` is the std
of the noise that is in the pixels, which a denoiser with one sigma wants; `nominal` is what it was before an integer file
clipped it at 0 and 255. The two part at the strong end: of noise 50 about 45 remain in an 8-bit photograph.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

Floats = NDArray[np.float64]

WHITE = 255.0

# Readings below this count as none. Of 53 noise-free training photographs 95 % read less (texture, rounding), while noise of
# std 1 reads more in 99 %; and what is weaker cannot be seen (49 dB).
_FLOOR = 0.9
# The JPEG reading (std of luma) below which noise-free files lie.
_JPEG_FLOOR = 4.0
# Colour readings below this are checked against the planes' (at the cost of their time).
_FAINT = 8.0
# Where colour reads next to nothing but its planes this much, the channels are dependent. Noise-free training photographs
# that read so little in colour read at most 1.2 in planes.
_NEXT_TO_NOTHING, _DEPENDENT_CHANNELS = 1.3, 4.0

# Chen: enough patches for a covariance's eigenvalues, as a multiple of its dimension; fewer read low.
_PATCHES_PER_DIMENSION = 20
_MOST_PATCHES = 40_000
_MOST_BLOCKS = 80_000
# Gray blocks at every pixel of 16 x 16; smaller pictures are off by more than the noise they could report.
_FEWEST_BLOCKS = 81

# std of the luma of noise that is white with std 1 in each of R, G and B: sqrt(0.299^2 + 0.587^2 + 0.114^2).
_LUMA_OF_RGB = 0.668


@dataclass(frozen=True, kw_only=True, slots=True)
class NoiseEstimate:
    """What an estimator read, in 8-bit levels.

    Attributes:
        level: std of the noise really present; 0 where none is measurable.
        nominal: std before clipping at the ends of the range; `level` where nothing was clipped.
        method: "chen", "ponomarenko" or "jpeg-luma", or why nothing was read: "constant", "too small".
    """

    level: float
    nominal: float
    method: str


def estimate_noise(levels: NDArray[np.float32], *, clips: bool) -> NoiseEstimate:
    """The noise of a picture that was not stored as JPEG.

    Colour by the covariance of patches, which lives on the redundancy of three channels; gray, equal channels, channels
    with a singular covariance and small pictures by the flattest blocks.

    Args:
        levels: (H, W, 3) or (H, W, 1), finite, 0..255.
        clips: the source stores integers, so that noise beyond 0 and 255 was cut off. It is believed only where as many
            pixels lie at the ends as such noise would leave there.
    """
    if levels.size == 0 or float(np.ptp(levels)) == 0:
        return NoiseEstimate(level=0.0, nominal=0.0, method="constant")
    if min(levels.shape[:2]) < 8 or (levels.shape[0] - 7) * (levels.shape[1] - 7) < _FEWEST_BLOCKS:
        return NoiseEstimate(level=0.0, nominal=0.0, method="too small")
    if levels.shape[2] == 1 or bool(np.all(levels == levels[:, :, :1])):
        return _floored(_estimate_planes(levels[:, :, :1], clips))
    colour = _estimate_colour(levels, clips)
    if colour is None:
        return _floored(_estimate_planes(levels, clips))
    if colour.level < _FAINT:
        colour = _agreed(colour, _estimate_planes(levels, clips))
    return _floored(colour)


def estimate_noise_jpeg(
    luma: NDArray[np.float32], luma_table: NDArray[np.integer], *, gray: bool = False
) -> NoiseEstimate:
    """The noise that a picture had before it was stored as JPEG, which the estimators for plain pictures cannot see.

    In the flattest blocks of the file's own grid, the share of coefficients beyond about one std tells the std of the
    Gaussian that was rounded to the table's steps; shares, unlike squares, do not mind a few blocks of texture.

    Args:
        luma: (H, W), the decoded file's Y plane, 0..255, its (0, 0) on the 8x8 grid: neither cropped nor turned.
        luma_table: (8, 8) or (64,), steps in natural row order.
        gray: the file has one channel: the reading stands for it and not for RGB noise seen through luma.
    Returns: the std in each channel (of the luma if `gray`); 0 where it is below what noise-free files read.
    """
    rounds, steps = _quantised_blocks(luma, luma_table)
    if len(rounds) < 4:
        return NoiseEstimate(level=0.0, nominal=0.0, method="too small")
    std = _std_of_quantised(rounds, steps)
    # Below a quarter of the finest step only tails beyond two stds are seen, and texture makes tails too.
    measurable = std >= max(_JPEG_FLOOR, float(steps.min()) / 4)
    level = std / (1.0 if gray else _LUMA_OF_RGB) if measurable else 0.0
    return NoiseEstimate(level=level, nominal=level, method="jpeg-luma")


def _agreed(colour: NoiseEstimate, planes: NoiseEstimate) -> NoiseEstimate:
    """The lower of two readings of faint noise, as texture pushes both up; the planes' where the channels are dependent.

    Tinted gray or chroma at half the resolution leave directions without noise, and in these colour reads nothing.
    """
    if colour.level < _NEXT_TO_NOTHING and planes.level >= _DEPENDENT_CHANNELS:
        return planes
    return min(colour, planes, key=lambda estimate: estimate.level)


def _floored(estimate: NoiseEstimate) -> NoiseEstimate:
    if estimate.level >= _FLOOR:
        return estimate
    return NoiseEstimate(level=0.0, nominal=0.0, method=estimate.method)


# ---- Colour: Chen, Zhu, Heng 2015 ----


def _estimate_colour(levels: NDArray[np.float32], clips: bool) -> NoiseEstimate | None:
    """Chen, Zhu, Heng 2015, "An Efficient Statistical Method for Image Noise Level Estimation" (ICCV); None: too few patches."""
    patches = _colour_patches(levels)
    if patches is None:
        return None
    eigenvalues = np.linalg.eigvalsh(_covariance(patches.reshape(len(patches), -1)))
    level = math.sqrt(_noise_eigenvalue(eigenvalues))
    nominal = level
    if clips and level > 0:
        means = _histogram(patches.mean(axis=2).ravel())
        nominal = _unclip(level, means) if _shows_clipping(levels, means, level) else level
    return NoiseEstimate(level=level, nominal=nominal, method="chen")


def _colour_patches(levels: NDArray[np.float32]) -> NDArray[np.float32] | None:
    """Square patches (N, C, p * p) of the largest side whose covariance the picture can fill, or None."""
    height, width, channels = levels.shape
    for side in (8, 6, 5, 4, 3):
        positions = (height - side + 1) * (width - side + 1)
        needed = _PATCHES_PER_DIMENSION * channels * side * side
        if positions < needed:
            continue
        # Beyond 3 pixels apart patches gain little; small pictures need them closer.
        stride = min(3, math.isqrt(positions // needed))
        windows = _windows(levels, side, stride, _MOST_PATCHES)
        patches = np.ascontiguousarray(windows).reshape(-1, channels, side * side)
        patches = patches[_unsaturated(patches.reshape(len(patches), -1))]
        return patches if len(patches) >= 2 * channels * side * side else None
    return None


def _windows(levels: NDArray[np.float32], side: int, stride: int, most: int) -> NDArray[np.float32]:
    """(rows, columns, C, side, side) windows at an equal stride, not many more than `most`.

    A stride beyond the given one is made odd, so that all phases of a JPEG grid take part.
    """
    windows = sliding_window_view(levels, (side, side), axis=(0, 1))
    if windows.shape[0] * windows.shape[1] > most * stride**2:
        stride = math.isqrt(windows.shape[0] * windows.shape[1] // most) | 1
    return windows[::stride, ::stride]


def _unsaturated(patches: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Which rows of (N, D) say something about noise: not those entirely at one end of the range, as borders are."""
    lowest, highest = patches.min(axis=1), patches.max(axis=1)
    return np.asarray((lowest < highest) | ((lowest > 0) & (lowest < WHITE)))


def _covariance(rows: NDArray[np.float32]) -> Floats:
    centred = rows - rows.mean(axis=0)
    return np.asarray(centred.T @ centred, dtype=np.float64) / len(rows)


def _noise_eigenvalue(eigenvalues: Floats) -> float:
    """The variance of the noise: the most of the smallest eigenvalues whose mean does not exceed their median.

    Noise spreads its variance over all directions; those that the signal enlarges are outliers above it.
    """
    for count in range(len(eigenvalues), 0, -1):
        smallest = eigenvalues[:count]
        if smallest.mean() <= np.median(smallest):
            return max(float(smallest.mean()), 0.0)
    return 0.0


# ---- Gray: Ponomarenko et al. 2007 ----


@dataclass(frozen=True, kw_only=True, slots=True)
class _Blocks:
    """8x8 blocks of a plane: mean (N,), energy of the low frequencies (N,), squares of the high ones (N, 28)."""

    mean: NDArray[np.float32]
    low: NDArray[np.float32]
    high: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.mean)


def _estimate_planes(levels: NDArray[np.float32], clips: bool) -> NoiseEstimate:
    """Each channel by itself, joined as the root of the mean square."""
    readings = [_estimate_plane(levels[:, :, channel], clips) for channel in range(levels.shape[2])]
    level, nominal = np.sqrt(np.mean(np.square(readings), axis=0))
    return NoiseEstimate(level=float(level), nominal=float(nominal), method="ponomarenko")


def _estimate_plane(plane: NDArray[np.float32], clips: bool) -> tuple[float, float]:
    """The std present and the nominal one of an (H, W) plane.

    After Ponomarenko et al. 2007, "An automatic approach to lossy compression of AVIRIS images": the noise is what the
    high frequencies of the flattest blocks hold.
    """
    blocks = _plane_blocks(plane)
    if len(blocks) < _FEWEST_BLOCKS:
        return 0.0, 0.0
    if clips:
        nominal = _std_of_flattest(blocks, clips=True)
        means = _histogram(blocks.mean)
        if nominal > 0 and _shows_clipping(plane, means, nominal):
            return _std_present(nominal, means), nominal
    level = _std_of_flattest(blocks, clips=False)
    return level, level


def _plane_blocks(plane: NDArray[np.float32]) -> _Blocks:
    positions = (plane.shape[0] - 7) * (plane.shape[1] - 7)
    stride = 1 if positions < 4096 else 2
    windows = _windows(plane, 8, stride, _MOST_BLOCKS).reshape(-1, 64)
    windows = windows[_unsaturated(windows)]
    coefficients = windows @ _dct_matrix().T
    mean = coefficients[:, 0] / 8
    coefficients **= 2
    order = _frequency_order()
    return _Blocks(
        mean=mean,
        low=coefficients[:, (order > 0) & (order < 9)].sum(axis=1),
        high=coefficients[:, order >= 9],
    )


def _std_of_flattest(blocks: _Blocks, *, clips: bool) -> float:
    """The std of the noise before clipping (or as it is, if nothing clips) from the flattest blocks.

    A clipped block looks flat whatever it shows, so blocks near the ends of the range are left out and flatness is
    relative to the noise that a block of that mean would have. Both need the std: four rounds settle it. From the second
    on, all blocks count whose low frequencies hold no more than noise would leave there: where noise is strong these are
    many, and the very lowest of them would be a biased choice.
    """
    central = np.minimum(blocks.mean, WHITE - blocks.mean)
    variance = np.ones_like(blocks.mean)
    keep = np.ones(len(blocks), dtype=np.bool_)
    std = 0.0
    for turn in range(4):
        flat = _flattest(blocks.low / variance, keep, count_noise=turn > 0)
        raw = math.sqrt(float(np.median(blocks.high[flat].mean(axis=0))))
        std = _unclip(raw, _histogram(blocks.mean[flat])) if clips else raw
        if std == 0:
            break
        if clips:
            # At least the most central fifth stays: a dark picture has no other blocks.
            keep = central >= min(std, float(np.quantile(central, 0.8)))
            variance = np.maximum(_variance_at_mean(blocks.mean, std), 1e-6).astype(np.float32)
        else:
            variance = np.full_like(blocks.mean, std**2)
    return std


def _flattest(
    low: NDArray[np.float32], keep: NDArray[np.bool_], *, count_noise: bool
) -> NDArray[np.intp]:
    """Indices of the kept blocks of least low-frequency energy.

    Args:
        low: (N,) energy of the low frequencies; with `count_noise` in units of the noise variance.
        keep: (N,).
        count_noise: take all that noise alone explains, and not only the lowest 0.5 %.
    """
    kept = np.flatnonzero(keep)
    count = max(len(kept) // 200, 50)
    if count_noise:
        order = _frequency_order()
        count = max(count, int(np.sum(low[kept] <= 1.1 * np.sum((order > 0) & (order < 9)))))
    count = min(count, len(kept))
    return kept[np.argpartition(low[kept], count - 1)[:count]]


# ---- JPEG ----


def _quantised_blocks(
    luma: NDArray[np.float32], luma_table: NDArray[np.integer]
) -> tuple[Floats, Floats]:
    """What the file stored in its flattest blocks.

    Returns: whole numbers of steps (N, 30) at the middle frequencies (4 <= i + j <= 10), and the steps (30,).
    """
    rows, columns = luma.shape[0] // 8, luma.shape[1] // 8
    blocks = luma[: rows * 8, : columns * 8].reshape(rows, 8, columns, 8).transpose(0, 2, 1, 3).reshape(-1, 64)
    blocks = blocks[:: max(1, len(blocks) // _MOST_BLOCKS)]
    steps = np.maximum(np.asarray(luma_table, dtype=np.float32).reshape(64), 1)
    coefficients = blocks @ _dct_matrix().T
    mean = coefficients[:, 0] / 8
    central = (mean > 16) & (mean < WHITE - 16)
    coefficients = np.round(coefficients / steps)
    if np.sum(central) >= 64:
        coefficients = coefficients[central]
    order = _frequency_order()
    low, middle = (order > 0) & (order < 4), (order >= 4) & (order <= 10)
    energy = np.square(coefficients[:, low] * steps[low]).sum(axis=1)
    flattest = np.argsort(energy, kind="stable")[: max(len(energy) // 100, 12)]
    return coefficients[flattest][:, middle].astype(np.float64), steps[middle].astype(np.float64)


def _std_of_quantised(rounds: Floats, steps: Floats) -> float:
    """The std of the Gaussian whose share beyond a threshold is the share seen among rounded values.

    The threshold of each frequency lies on the edge of a rounding cell, where rounding changes no share, and as near one
    std as the cells allow.
    """
    threshold, std = 0.5 * steps, 0.0
    for _ in range(3):
        share = float(np.mean(np.abs(rounds) * steps > threshold))
        std = _std_of_share(share, threshold)
        if std == 0:
            break
        threshold = (np.maximum(np.round(std / steps - 0.5), 0) + 0.5) * steps
    return std


def _std_of_share(share: float, threshold: Floats) -> float:
    """The std at which the mean over thresholds of P(|x| > threshold) is `share`."""
    stds = np.geomspace(0.2, 128, 96)
    shares = 2 * (1 - _normal_cdf(threshold / stds[:, None])).mean(axis=1)
    return 0.0 if share == 0 else float(np.interp(share, shares, stds))


# ---- Clipping: Foi 2009, "Clipped noisy images: heteroskedastic modeling and practical denoising" ----


@dataclass(frozen=True, kw_only=True, slots=True)
class _Means:
    """A histogram of local means: values (K,) and the share of each (K,)."""

    value: Floats
    share: Floats


def _histogram(means: NDArray[np.float32]) -> _Means:
    counts, edges = np.histogram(means, bins=256, range=(0.0, WHITE))
    return _Means(value=(edges[:-1] + edges[1:]) / 2, share=counts / max(int(counts.sum()), 1))


def _clipped_moments(mu: Floats, std: float) -> tuple[Floats, Floats]:
    """Mean and variance of clip(N(mu, std), 0, 255)."""
    a, b = -mu / std, (WHITE - mu) / std
    below, above = _normal_cdf(a), 1 - _normal_cdf(b)
    inside = 1 - below - above
    pdf_a, pdf_b = _normal_pdf(a), _normal_pdf(b)
    first = mu * inside + std * (pdf_a - pdf_b) + WHITE * above
    second = (mu**2 + std**2) * inside + 2 * mu * std * (pdf_a - pdf_b) + WHITE**2 * above
    second += std**2 * (a * pdf_a - b * pdf_b)
    return first, np.maximum(second - first**2, 0.0)


def _variance_at_mean(means: NDArray[np.floating], std: float) -> Floats:
    """The variance of clipped noise where its local mean, clipped too, is `means`."""
    mu = np.linspace(-4 * std, WHITE + 4 * std, 256)
    mean, variance = _clipped_moments(mu, std)
    return np.interp(means, mean, variance)


def _unclip(std: float, means: _Means) -> float:
    """The nominal std of noise whose average variance over the local means is std^2 after clipping."""
    low, high = std, 4 * std + 1
    for _ in range(20):
        middle = (low + high) / 2
        if float(means.share @ _variance_at_mean(means.value, middle)) < std**2:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _std_present(nominal: float, means: _Means) -> float:
    """The std of (clipped noisy - clean) over a picture with these local means; the forward way of `_unclip`.

    Besides the variance that is left, clipping shifts dark places up and bright ones down, which is part of the error.
    """
    mu = np.linspace(0.0, WHITE, 256)
    mean, variance = _clipped_moments(mu, nominal)
    shift = np.interp(means.value, mean, mean - mu)
    left = np.interp(means.value, mean, variance)
    return math.sqrt(float(means.share @ (left + shift**2) - (means.share @ shift) ** 2))


def _shows_clipping(levels: NDArray[np.float32], means: _Means, std: float) -> bool:
    """Whether at least half as many pixels lie at the ends of the range as clipped noise of this std would leave there."""
    mu = np.linspace(-4 * std, WHITE + 4 * std, 256)
    mean, _ = _clipped_moments(mu, std)
    outside = _normal_cdf(-mu / std) + _normal_cdf((mu - WHITE) / std)
    expected = float(means.share @ np.interp(means.value, mean, outside))
    return float(np.mean((levels <= 0) | (levels >= WHITE))) >= expected / 2


# ---- The normal distribution and the cosine transform ----

_erf = np.frompyfunc(math.erf, 1, 1)


def _normal_cdf(x: Floats) -> Floats:
    return np.asarray(0.5 + 0.5 * _erf(x / math.sqrt(2)).astype(np.float64))


def _normal_pdf(x: Floats) -> Floats:
    return np.asarray(np.exp(-(x**2) / 2) / math.sqrt(2 * math.pi))


def _dct_matrix() -> NDArray[np.float32]:
    """(64, 64): the orthonormal 2-D cosine transform of a flattened 8x8 block."""
    k = np.arange(8)
    one = np.sqrt(2 / 8) * np.cos(np.pi * (2 * k[None] + 1) * k[:, None] / 16)
    one[0] /= math.sqrt(2)
    return np.kron(one, one).astype(np.float32)


def _frequency_order() -> NDArray[np.intp]:
    """(64,): i + j of each coefficient of a flattened 8x8 block."""
    return np.add.outer(np.arange(8), np.arange(8)).ravel()
