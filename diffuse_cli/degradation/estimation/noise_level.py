"""How strong the white noise in a picture is, from the picture alone.

Everything here is in 8-bit levels (0..255), whatever the file's depth. Two numbers answer two questions: `level` is the
std of the noise that is in the pixels, which a denoiser with one sigma wants; `nominal` is what it was before an
integer file clipped it at 0 and 255. The two part at the strong end: of noise 50 about 45 remain in an 8-bit file.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from .blocks import dct_matrix

Floats = NDArray[np.float64]

WHITE = 255.0

# Readings below this count as none. Of 53 noise-free training photographs 95 % read less (texture, rounding), while
# noise of std 1 reads more in all; and what is weaker cannot be seen (49 dB).
_FLOOR = 0.9
# The JPEG reading (std of luma) below which noise-free files lie: 92 to 97 % of 66 training crops, quality 50 to 95.
_JPEG_FLOOR = 4.5
# Colour readings below this are checked against the planes' (at the cost of their time).
_FAINT = 8.0
# Where the planes read this much, and this many times what colour reads, the channels are dependent.
_DEPENDENT_LEVEL, _DEPENDENT_RATIO = 4.0, 2.5
# Where even the flattest blocks hold this many times the low frequencies of the noise read in them, they are texture or
# text. On training photographs noise of 2 or more gives at most 2.4, a woven cloth filling the picture 3.9.
_TEXTURE = 3.0
# The same for JPEG, where flatness is known less well. Weak readings of noise rarely have over 1.2, those of texture
# mostly; strong ones have up to 3.7 where the noise is real but on texture.
_JPEG_WEAK, _JPEG_WEAK_TEXTURE, _JPEG_STRONG_TEXTURE = 8.0, 1.4, 4.0
# And where they hold this little, the noise was read in something else (text on white paper). Noise leaves 0.5.
_TOO_FLAT = 0.35

# Chen's patch sides, each with how many patches it wants as a multiple of its covariance's dimension. Fewer read low;
# the smallest makes do with less, as the only other choice is to treat the channels as gray.
_PATCH_SIDES = ((8, 60), (6, 60), (5, 60), (4, 60), (3, 20))
_MOST_PATCHES = 40_000
_MOST_BLOCKS = 80_000
# Gray blocks at every pixel of 16 x 16; smaller pictures are off by more than the noise they could report.
_FEWEST_BLOCKS = 81

# The highest frequencies (i + j) of a JPEG are mostly rounded to 0.
_JPEG_HIGHEST = 10
# std of the luma of noise that is white with std 1 in each of R, G and B: sqrt(0.299^2 + 0.587^2 + 0.114^2).
_LUMA_OF_RGB = 0.668


@dataclass(frozen=True, kw_only=True, slots=True)
class NoiseEstimate:
    """What an estimator read, in 8-bit levels.

    Attributes:
        level: std of the noise really present; 0 where none is measurable.
        nominal: std before clipping at the ends of the range; `level` where nothing was clipped.
        method: "chen", "ponomarenko" or "jpeg-luma", or why nothing was read: "constant", "too small", "texture"
            (which noise can be, too, if it is smoothed: enlarged with the picture, for one).
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
    rows, columns = _content(levels)
    levels = levels[rows, columns]
    if levels.size == 0:
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
    steps = np.maximum(np.asarray(luma_table, dtype=np.float64).reshape(64), 1)
    # Flatness from below a diagonal, the reading from beyond it: the finer the steps there, the further out it can lie.
    diagonal = 6 if steps[3 * 8 + 3] <= 16 else 4
    low, high = _frequencies(1, diagonal - 1), _frequencies(diagonal, _JPEG_HIGHEST)
    values = _stored_flat_blocks(luma, steps, low)
    if len(values) < 4:
        return NoiseEstimate(level=0.0, nominal=0.0, method="too small")
    std = _std_of_rounded(values[:, high], steps[high])
    # Below a quarter of the finest step only tails beyond two stds are seen, and texture makes tails too.
    if std < max(_JPEG_FLOOR, float(steps[high].min()) / 4):
        return NoiseEstimate(level=0.0, nominal=0.0, method="jpeg-luma")
    if _is_jpeg_texture(std, values[:, low], steps[low]):
        return NoiseEstimate(level=0.0, nominal=0.0, method="texture")
    level = std / (1.0 if gray else _LUMA_OF_RGB)
    return NoiseEstimate(level=level, nominal=level, method="jpeg-luma")


def _agreed(colour: NoiseEstimate, planes: NoiseEstimate) -> NoiseEstimate:
    """The lower of two readings of faint noise, as texture pushes both up; the planes' if the channels are dependent.

    Tinted gray or chroma at half the resolution leave directions almost without noise, and colour reads just these.
    """
    dependent = planes.level >= max(_DEPENDENT_LEVEL, _DEPENDENT_RATIO * colour.level)
    if dependent and planes.method != "texture":
        return planes
    return min(colour, planes, key=lambda estimate: estimate.level)


def _floored(estimate: NoiseEstimate) -> NoiseEstimate:
    if estimate.level >= _FLOOR and estimate.method != "texture":
        return estimate
    return NoiseEstimate(level=0.0, nominal=0.0, method=estimate.method)


def _content(levels: NDArray[np.float32]) -> tuple[slice, slice]:
    """Rows and columns of an (H, W, C) picture inside a border of one colour: a mat or letterbox bears no noise."""
    rows = slice(_uniform_lines(levels), len(levels) - _uniform_lines(levels[::-1, ::-1]))
    turned = levels.swapaxes(0, 1)
    return rows, slice(_uniform_lines(turned), len(turned) - _uniform_lines(turned[::-1, ::-1]))


def _uniform_lines(lines: NDArray[np.float32]) -> int:
    """How many of the first lines (N, M, C) are of one colour, that of the first value."""
    return next((count for count, line in enumerate(lines) if np.any(line != lines[0, 0])), len(lines))


# ---- Colour: Chen, Zhu, Heng 2015 ----


def _estimate_colour(levels: NDArray[np.float32], clips: bool) -> NoiseEstimate | None:
    """All channels together; None if there are too few patches.

    Chen, Zhu, Heng 2015, "An Efficient Statistical Method for Image Noise Level Estimation" (ICCV).
    """
    patches = _colour_patches(levels)
    if patches is None:
        return None
    eigenvalues = np.linalg.eigvalsh(_covariance(patches.reshape(len(patches), -1)))
    level = math.sqrt(noise_eigenvalue(np.asarray(eigenvalues, dtype=np.float64)))
    nominal = level
    if clips and level > 0:
        means = _histogram(patches.mean(axis=2).ravel())
        nominal = _unclip(level, means) if _shows_clipping(levels, means, level) else level
    return NoiseEstimate(level=level, nominal=nominal, method="chen")


def _colour_patches(levels: NDArray[np.float32]) -> NDArray[np.float32] | None:
    """Square patches (N, C, p * p) of the largest side whose covariance the picture can fill, or None."""
    height, width, channels = levels.shape
    for side, plenty in _PATCH_SIDES:
        dimension = channels * side * side
        positions = (height - side + 1) * (width - side + 1)
        if positions < plenty * dimension:
            continue
        # Beyond 3 pixels apart patches gain little; small pictures need them closer.
        stride = min(3, math.isqrt(positions // (plenty * dimension)))
        windows = _windows(levels, side, stride, _MOST_PATCHES)
        patches = np.ascontiguousarray(windows).reshape(-1, channels, side * side)
        patches = patches[_unsaturated(patches.reshape(len(patches), -1))]
        return patches if len(patches) >= 2 * dimension else None
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
    return np.asarray((lowest < highest) | ~_at_ends(lowest))


def _at_ends(levels: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Which values lie at 0 or 255, up to the rounding of a 16-bit file's scaling."""
    return np.asarray((levels < 1e-3) | (levels > WHITE - 1e-3))


def _covariance(rows: NDArray[np.float32]) -> Floats:
    centred = rows - rows.mean(axis=0)
    return np.asarray((centred.T @ centred) / len(rows), dtype=np.float64)


def noise_eigenvalue(eigenvalues: Floats) -> float:
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
class Blocks:
    """8x8 blocks of a plane: mean (N,), energy of the low frequencies (N,), squares of the high ones (N, 28)."""

    mean: NDArray[np.float32]
    low: NDArray[np.float32]
    high: NDArray[np.float32]

    def __len__(self) -> int:
        """N."""
        return len(self.mean)


def _estimate_planes(levels: NDArray[np.float32], clips: bool) -> NoiseEstimate:
    """Each channel by itself, joined as the root of the mean square.

    Returns: method "texture" where no channel has a flat block: then the reading is an upper bound.
    """
    planes = [_estimate_plane(levels[:, :, channel], clips) for channel in range(levels.shape[2])]
    flat = [plane for plane in planes if plane.method != "texture"]
    used = flat or planes
    return NoiseEstimate(
        level=math.sqrt(sum(plane.level**2 for plane in used) / len(used)),
        nominal=math.sqrt(sum(plane.nominal**2 for plane in used) / len(used)),
        method="ponomarenko" if flat else "texture",
    )


def _estimate_plane(plane: NDArray[np.float32], clips: bool) -> NoiseEstimate:
    """One channel (H, W); method "texture" where even its flattest blocks are not flat.

    After Ponomarenko et al. 2007, "An automatic approach to lossy compression of AVIRIS images": the noise is what the
    high frequencies of the flattest blocks hold.
    """
    blocks = plane_blocks(plane)
    if len(blocks) < _FEWEST_BLOCKS:
        return NoiseEstimate(level=0.0, nominal=0.0, method="ponomarenko")
    nominal, flatness = _std_of_flattest(blocks, clips=clips, central=clips)
    if clips and flatness < _TOO_FLAT:
        nominal, flatness = _std_of_flattest(blocks, clips=True, central=False)
    means = _histogram(blocks.mean)
    if clips and nominal > 0 and not _shows_clipping(plane, means, nominal):
        clips = False
        nominal, flatness = _std_of_flattest(blocks, clips=False, central=False)
    level = _std_present(nominal, means) if clips and nominal > 0 else nominal
    return NoiseEstimate(level=level, nominal=nominal, method="texture" if flatness > _TEXTURE else "ponomarenko")


def plane_blocks(plane: NDArray[np.float32]) -> Blocks:
    """Overlapping blocks of a plane (H, W), those at one end of the range left out."""
    positions = (plane.shape[0] - 7) * (plane.shape[1] - 7)
    stride = 1 if positions < 4096 else 2
    windows = _windows(plane, 8, stride, _MOST_BLOCKS).reshape(-1, 64)
    windows = windows[_unsaturated(windows)]
    coefficients = windows @ dct_matrix().astype(np.float32).T
    mean = np.asarray(coefficients[:, 0] / 8, dtype=np.float32)
    coefficients **= 2
    return Blocks(mean=mean, low=coefficients[:, _LOW_FREQUENCIES].sum(axis=1), high=coefficients[:, _HIGH_FREQUENCIES])


def _std_of_flattest(blocks: Blocks, *, clips: bool, central: bool) -> tuple[float, float]:
    """The std of the noise before clipping (or as it is, if nothing clips) from the flattest blocks.

    A clipped block looks flat whatever it shows, so flatness is relative to the noise that a block of that mean would
    have, and with `central` blocks near the ends of the range are left out. Both need the std: four rounds settle it.
    From the second on, all blocks count whose low frequencies hold no more than noise would leave there: where noise is
    strong these are many, and the very lowest of them would be a biased choice.

    Returns: the std, and how flat the flattest blocks are: their low-frequency energy over what the std explains.
    """
    distance = np.minimum(blocks.mean, WHITE - blocks.mean)
    # At least the most central fifth stays: a dark picture has no other blocks.
    off_centre = float(np.quantile(distance, 0.8))
    keep = np.ones(len(blocks), dtype=np.bool_)
    low, std = blocks.low, 0.0
    for turn in range(4):
        flat = _flattest(low, keep, count_noise=turn > 0)
        raw = math.sqrt(float(np.median(blocks.high[flat].mean(axis=0))))
        if raw == 0:
            return 0.0, 1.0
        std = _unclip(raw, _histogram(blocks.mean[flat])) if clips else raw
        low = blocks.low / (_variance_at_mean(blocks.mean, std) if clips else std**2)
        keep = distance >= min(std, off_centre) if central else keep
    every = np.ones_like(keep)
    return std, float(np.median(low[_flattest(low, every, count_noise=False)]) / _LOW_FREQUENCIES.sum())


def _flattest(low: NDArray[np.floating], keep: NDArray[np.bool_], *, count_noise: bool) -> NDArray[np.intp]:
    """Indices of the kept blocks of least low-frequency energy.

    Args:
        low: (N,) energy of the low frequencies; with `count_noise` in units of the noise variance.
        keep: (N,).
        count_noise: take all that noise alone explains, and not only the lowest 0.5 %.
    """
    kept = np.flatnonzero(keep)
    count = max(len(kept) // 200, 50)
    if count_noise:
        count = max(count, int(np.sum(low[kept] <= 1.1 * _LOW_FREQUENCIES.sum())))
    count = min(count, len(kept))
    return kept[np.argpartition(low[kept], count - 1)[:count]]


# ---- JPEG ----


def _stored_flat_blocks(luma: NDArray[np.float32], steps: Floats, low: NDArray[np.bool_]) -> Floats:
    """The DCT coefficients (N, 64), multiples of the steps, in the hundredth of the blocks of least `low` energy."""
    rows, columns = _content(luma[:, :, None])
    luma = luma[-(-rows.start // 8) * 8 : rows.stop, -(-columns.start // 8) * 8 : columns.stop]
    down, across = luma.shape[0] // 8, luma.shape[1] // 8
    blocks = luma[: down * 8, : across * 8].reshape(down, 8, across, 8).transpose(0, 2, 1, 3).reshape(-1, 64)
    coefficients = blocks[:: max(1, len(blocks) // _MOST_BLOCKS)] @ dct_matrix().astype(np.float32).T
    mean = coefficients[:, 0] / 8
    central = (mean > 16) & (mean < WHITE - 16)
    if np.sum(central) >= 64:
        coefficients = coefficients[central]
    coefficients = np.round(coefficients / steps) * steps
    energy = np.square(coefficients[:, low]).sum(axis=1)
    flattest = np.argsort(energy, kind="stable")[: max(len(energy) // 100, 12)]
    return np.asarray(coefficients[flattest])


def _is_jpeg_texture(std: float, low: Floats, steps: Floats) -> bool:
    """Whether the low frequencies (N, K) of the flattest blocks hold too much for such noise rounded to steps (K,)."""
    explained = float(np.sum(std**2 + steps**2 / 12))
    excess = float(np.median(np.square(low).sum(axis=1))) / explained
    return excess > (_JPEG_WEAK_TEXTURE if std < _JPEG_WEAK else _JPEG_STRONG_TEXTURE)


def _std_of_rounded(values: Floats, steps: Floats) -> float:
    """The std of the Gaussian that has the share beyond a threshold seen among values (N, K) rounded to steps (K,).

    The threshold of each frequency lies on the edge of a rounding cell, where rounding changes no share, and as near
    one std as the cells allow.
    """
    threshold, std = 0.5 * steps, 0.0
    for _ in range(3):
        std = _std_of_share(float(np.mean(np.abs(values) > threshold)), threshold)
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
    return np.asarray(np.maximum(np.interp(means, mean, variance), 1e-6), dtype=np.float64)


def left_of_clipped(means: NDArray[np.floating], std: NDArray[np.floating]) -> NDArray[np.float32]:
    """The std that is left of noise of `std` after clipping at 0 and 255, where local means, clipped too, are `means`.

    As if each end were alone: noise that reaches both ends of the range leaves no picture anyway.
    """
    t = np.linspace(-4, 6, 512)
    mean = t * _normal_cdf(t) + _normal_pdf(t)
    left = np.sqrt(np.maximum((t**2 + 1) * _normal_cdf(t) + t * _normal_pdf(t) - mean**2, 0))
    unit = np.maximum(std, 1e-6)
    share = np.interp(means / unit, mean, left) * np.interp((WHITE - means) / unit, mean, left)
    return np.asarray(std * share, dtype=np.float32)


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
    """Whether at least half as many pixels lie at the ends of the range as clipped noise would leave there."""
    mu = np.linspace(-4 * std, WHITE + 4 * std, 256)
    mean, _ = _clipped_moments(mu, std)
    outside = _normal_cdf(-mu / std) + _normal_cdf((mu - WHITE) / std)
    expected = float(means.share @ np.interp(means.value, mean, outside))
    return float(np.mean(_at_ends(levels))) >= expected / 2


# ---- The normal distribution and the cosine transform ----

_erf = np.vectorize(math.erf, otypes=[np.float64])


def _normal_cdf(x: Floats) -> Floats:
    return np.asarray(0.5 + 0.5 * _erf(x / math.sqrt(2)), dtype=np.float64)


def _normal_pdf(x: Floats) -> Floats:
    return np.asarray(np.exp(-(x**2) / 2) / math.sqrt(2 * math.pi))


def _frequencies(first: int, last: int) -> NDArray[np.bool_]:
    """(64,): which coefficients of a flattened 8x8 block have first <= i + j <= last."""
    order = np.add.outer(np.arange(8), np.arange(8)).ravel()
    return np.asarray((order >= first) & (order <= last))


# What Ponomarenko et al. call the low and the high frequencies.
_LOW_FREQUENCIES = _frequencies(1, 8)
_HIGH_FREQUENCIES = _frequencies(9, 14)
