"""Where a copy lies in the reference: SIFT features (Lowe 2004), RANSAC, then ECC (Evangelidis and Psarakis 2008)."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from .opencv import opencv

Map = NDArray[np.float32]
Matrix = NDArray[np.float64]

SEEN: Final = 1_000_000
"""Pixels of the picture in which features are looked for; larger ones are shrunk. ECC still finds 0.1 pixel."""
FEATURES: Final = 4000
RATIO: Final = 0.8
"""Lowe's ratio of the distances to the best and to the second best match."""
OFF: Final = 3.0
"""Pixels by which a match may miss."""
LEAST_MATCHES: Final = 12
LEAST_ALIKE: Final = 0.4
"""Correlation of what two pictures of one thing show between scales of 1.5 and 6 pixels. Others reach 0.3."""
LEAST_OVERLAP: Final = 0.1
"""Share of the reference that a copy must show."""
MOST_SCALE: Final = 16.0
PLAIN: Final = 1e-3
"""A simpler map is taken if the correlation falls by less than this share of what it lacks."""
SNAP: Final = 0.03
"""A shift that misses whole pixels by no more than this is one by whole pixels: nothing is interpolated."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Placement:
    """Where the reference's pixels lie in a copy.

    Attributes:
        matrix: (3, 3), from the reference's (x, y, 1) to the copy's. Centres of pixels are whole numbers.
        alike: correlation of what both show.
    """

    matrix: Matrix
    alike: float

    def scale(self, size: tuple[int, int]) -> float:
        """Return the copy's pixels per pixel of the reference, in its middle.

        Args:
            size: (height, width) of the reference.
        """
        return scale_of(self.matrix, size)


def scale_of(matrix: Matrix, size: tuple[int, int]) -> float:
    """Return how much longer a matrix makes what lies in the middle of a picture.

    Args:
        matrix: (3, 3).
        size: (height, width).
    """
    y, x = (size[0] - 1) / 2, (size[1] - 1) / 2
    at = [np.array([x + dx, y + dy, 1.0]) for dx, dy in ((0, 0), (1, 0), (0, 1))]
    points = [(matrix @ p)[:2] / (matrix @ p)[2] for p in at]
    across, down = points[1] - points[0], points[2] - points[0]
    return float(np.sqrt(abs(across[0] * down[1] - across[1] * down[0])))


def register(reference: Map, copy: Map) -> Placement | None:
    """Find where a copy lies. None: it shows something else.

    Args:
        reference: (H, W), luma in 8-bit levels.
        copy: (h, w), the same.
    """
    one, of_one = _seen(reference)
    other, of_other = _seen(copy)
    best: Placement | None = None
    for start in _starts(one, other):
        found = _placement(one, other, start)
        if found is not None and (best is None or found.alike > best.alike + PLAIN):
            best = found
    if best is None:
        return None
    best = _refined(one, other, best)
    if best.alike < LEAST_ALIKE:
        return None
    matrix = _snapped(np.linalg.inv(of_other) @ best.matrix @ of_one, reference.shape, copy.shape)
    return Placement(matrix=matrix, alike=best.alike)


def _seen(luma: Map) -> tuple[Map, Matrix]:
    """Return a picture of at most `SEEN` pixels with its contrast stretched, and the matrix that leads to it."""
    cv2 = opencv()
    height, width = luma.shape
    factor = min(1.0, float(np.sqrt(SEEN / (height * width))))
    small = luma
    if factor < 1:
        small = cv2.resize(luma, (round(width * factor), round(height * factor)), interpolation=cv2.INTER_AREA)
    low, high = np.percentile(small, [0.5, 99.5])
    small = np.clip((small - low) * (255 / max(high - low, 1e-3)), 0, 255).astype(np.float32)
    return small, resizing((height, width), (small.shape[0], small.shape[1]))


def resizing(before: tuple[int, int], after: tuple[int, int]) -> Matrix:
    """Return the matrix of a resizing: the pictures' edges, half a pixel beyond the outer centres, stay edges.

    Args:
        before: (height, width).
        after: (height, width).
    """
    x, y = after[1] / before[1], after[0] / before[0]
    return np.array([[x, 0, x / 2 - 0.5], [0, y, y / 2 - 0.5], [0, 0, 1]])


def _starts(one: Map, other: Map) -> list[Matrix]:
    """Return where the other picture may lie: the same place, a shift, or as its features say. The plainest first."""
    same = resizing((one.shape[0], one.shape[1]), (other.shape[0], other.shape[1]))
    shapes = one.shape[1] / one.shape[0], other.shape[1] / other.shape[0]
    found = []
    if max(shapes) / min(shapes) < 1.05:
        found = [same, same @ _shift(one, warped(other, same, (one.shape[0], one.shape[1])))]
    by_features = _by_features(one, other)
    if by_features is not None:
        found += [*_simpler(by_features, (one.shape[0], one.shape[1])), by_features]
    return found


def _by_features(one: Map, other: Map) -> Matrix | None:
    cv2 = opencv()
    sift = cv2.SIFT_create(nfeatures=FEATURES, contrastThreshold=0.02)
    points, words = zip(*(sift.detectAndCompute(x.astype(np.uint8), None) for x in (one, other)), strict=True)
    if min(len(p) for p in points) < LEAST_MATCHES:
        return None
    pairs = cv2.BFMatcher(cv2.NORM_L2).knnMatch(words[0], words[1], k=2)
    good = [p[0] for p in pairs if len(p) == 2 and p[0].distance < RATIO * p[1].distance]
    if len(good) < LEAST_MATCHES:
        return None
    here = np.array([points[0][m.queryIdx].pt for m in good], np.float32)
    there = np.array([points[1][m.trainIdx].pt for m in good], np.float32)
    matrix, inliers = cv2.findHomography(here, there, cv2.USAC_MAGSAC, OFF, maxIters=10_000, confidence=0.9999)
    if matrix is None or int(inliers.sum()) < LEAST_MATCHES:
        return None
    return np.asarray(matrix, np.float64)


def _shift(one: Map, other: Map) -> Matrix:
    """Return the shift between two pictures of one size, by the phase of their spectra."""
    cv2 = opencv()
    window = cv2.createHanningWindow((one.shape[1], one.shape[0]), cv2.CV_32F)
    (x, y), _ = cv2.phaseCorrelate(one.copy(), other.copy(), window)  # which multiplies what it is given
    return np.array([[1.0, 0, x], [0, 1, y], [0, 0, 1]])


def _placement(one: Map, other: Map, matrix: Matrix) -> Placement | None:
    """Return a matrix with what it makes alike. None: it leads nowhere."""
    size = (one.shape[0], one.shape[1])
    if not np.isfinite(matrix).all() or not _is_plane(matrix, size):
        return None
    if not 1 / MOST_SCALE < scale_of(matrix, size) < MOST_SCALE:
        return None
    alike = _alike(one, *_shrunk(other, matrix, size))
    return None if alike is None else Placement(matrix=matrix, alike=alike)


def _shrunk(other: Map, matrix: Matrix, size: tuple[int, int]) -> tuple[Map, Matrix]:
    """Return a picture that is finer than the reference at the reference's scale: its detail would be noise."""
    cv2 = opencv()
    scale = scale_of(matrix, size)
    if scale <= 1.1:
        return other, matrix
    small = (max(round(other.shape[0] / scale), 1), max(round(other.shape[1] / scale), 1))
    less = cv2.resize(other, (small[1], small[0]), interpolation=cv2.INTER_AREA)
    return less, resizing((other.shape[0], other.shape[1]), small) @ matrix


def _refined(one: Map, other: Map, best: Placement) -> Placement:
    """Refine a placement by ECC: a shift, a turn, an affine map, a homography, each where it makes more alike."""
    cv2 = opencv()
    size = (one.shape[0], one.shape[1])
    models = (
        (cv2.MOTION_TRANSLATION, 15), (cv2.MOTION_EUCLIDEAN, 9), (cv2.MOTION_AFFINE, 9), (cv2.MOTION_HOMOGRAPHY, 9),
        (cv2.MOTION_HOMOGRAPHY, 5),
    )  # fmt: skip
    ending = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 50, 1e-6)
    for model, smooth in models:
        finer, matrix = _shrunk(other, best.matrix, size)
        here = warped(finer, matrix, size, cv2.INTER_CUBIC)
        inside = within(matrix, size, (finer.shape[0], finer.shape[1]), 1).astype(np.uint8)
        start = np.eye(3, dtype=np.float32)[: 3 if model == cv2.MOTION_HOMOGRAPHY else 2].copy()
        try:
            _, step = cv2.findTransformECC(one, here, start, model, ending, inside, smooth)
        except cv2.error:  # it does not converge
            continue
        whole = np.vstack([step, [0, 0, 1]])[:3].astype(np.float64)
        found = _placement(one, other, best.matrix @ whole)
        if found is not None and found.alike > best.alike + PLAIN * (1.1 - best.alike):
            best = found
    return best


def _simpler(matrix: Matrix, size: tuple[int, int]) -> Iterator[Matrix]:
    """Yield the shift, the similarity and the affine map nearest to a matrix: noise bends them less."""
    x, y = (axis.ravel() for axis in np.meshgrid(*(np.linspace(0, n - 1, 9) for n in (size[1], size[0]))))
    moved = matrix @ np.stack([x, y, np.ones_like(x)])
    u, v = moved[:2] / moved[2]
    yield np.array([[1.0, 0, np.mean(u - x)], [0, 1, np.mean(v - y)], [0, 0, 1]])
    zero, one = np.zeros_like(x), np.ones_like(x)
    turned = np.concatenate([np.stack([x, -y, one, zero], 1), np.stack([y, x, zero, one], 1)])
    a, b, c, d = np.linalg.lstsq(turned, np.concatenate([u, v]), rcond=None)[0]
    yield np.array([[a, -b, c], [b, a, d], [0, 0, 1]])
    rows = np.linalg.lstsq(np.stack([x, y, one], 1), np.stack([u, v], 1), rcond=None)[0].T
    yield np.vstack([rows, [0, 0, 1]])


def _is_plane(matrix: Matrix, size: tuple[int, int]) -> bool:
    """Return whether a matrix shows the whole reference from one side, not too slanted."""
    corners = np.array([[x, y, 1.0] for y in (0, size[0] - 1) for x in (0, size[1] - 1)]).T
    depth = (matrix @ corners)[2]
    return bool(np.linalg.det(matrix) > 0 and depth.min() > 0.5 * depth.max() > 0)


def _alike(one: Map, other: Map, matrix: Matrix) -> float | None:
    """Return the correlation of what two pictures show between two scales. None: they hardly overlap."""
    cv2 = opencv()
    size = (one.shape[0], one.shape[1])
    moved = warped(other, matrix, size)
    inside = within(matrix, size, (other.shape[0], other.shape[1]), 6)
    if inside.mean() < LEAST_OVERLAP:
        return None
    a, b = (cv2.GaussianBlur(x, (0, 0), 1.5) - cv2.GaussianBlur(x, (0, 0), 6) for x in (one, moved))
    a, b = a[inside], b[inside]
    return float(np.mean(a * b) / (np.sqrt(np.mean(a**2) * np.mean(b**2)) + 1e-6))


def _snapped(matrix: Matrix, size: tuple[int, ...], of_copy: tuple[int, ...]) -> Matrix:
    """Return a shift by whole pixels, where the matrix is nearly one."""
    height, width = size[:2]
    corners = np.array([[x, y, 1.0] for y in (0, height - 1) for x in (0, width - 1)]).T
    moved = matrix @ corners
    shift = moved[:2] / moved[2] - corners[:2]
    whole = np.round(shift.mean(1))
    off = float(np.abs(shift - whole[:, None]).max())
    is_same = height == of_copy[0] and width == of_copy[1] and not whole.any()
    if off > (3 * SNAP if is_same else SNAP):
        return matrix
    return np.array([[1.0, 0, whole[0]], [0, 1, whole[1]], [0, 0, 1]])


def within(matrix: Matrix, size: tuple[int, int], of_copy: tuple[int, int], margin: float) -> NDArray[np.bool_]:
    """Return where the reference's pixels lie in a copy (H, W).

    Args:
        matrix: (3, 3), from the reference to the copy.
        size: (height, width) of the reference.
        of_copy: (height, width) of the copy.
        margin: pixels of the copy's edge that do not count.
    """
    x, y = coordinates(matrix, size)
    inside: NDArray[np.bool_] = (
        (x >= margin) & (y >= margin) & (x <= of_copy[1] - 1 - margin) & (y <= of_copy[0] - 1 - margin)
    )
    return inside


def coordinates(matrix: Matrix, size: tuple[int, int], flow: Map | None = None) -> tuple[Map, Map]:
    """Return where the reference's pixels lie in a copy: x and y, (H, W) each.

    Args:
        matrix: (3, 3), from the reference to the copy.
        size: (height, width) of the reference.
        flow: (H, W, 2), by how much they moved before, to the right and down. None: not at all.
    """
    rows: NDArray[np.floating[Any]] = np.arange(size[0], dtype=np.float64)[:, None]
    columns: NDArray[np.floating[Any]] = np.arange(size[1], dtype=np.float64)[None]
    if flow is not None:
        rows, columns = rows + flow[..., 1], columns + flow[..., 0]
    depth = matrix[2, 0] * columns + matrix[2, 1] * rows + matrix[2, 2]
    x = (matrix[0, 0] * columns + matrix[0, 1] * rows + matrix[0, 2]) / depth
    y = (matrix[1, 0] * columns + matrix[1, 1] * rows + matrix[1, 2]) / depth
    return x.astype(np.float32), y.astype(np.float32)


def warped(
    values: Map,
    matrix: Matrix,
    size: tuple[int, int],
    how: Any = None,  # noqa: ANN401 - OpenCV's
    flow: Map | None = None,
) -> Map:
    """Return a copy's values (h, w, ...) at the reference's pixels.

    Args:
        values: of the copy.
        matrix: (3, 3), from the reference to the copy.
        size: (height, width) of the reference.
        how: OpenCV's interpolation. None: bilinear.
        flow: (H, W, 2), as `coordinates` takes it.
    """
    cv2 = opencv()
    x, y = coordinates(matrix, size, flow)
    how = cv2.INTER_LINEAR if how is None else how
    moved: Map = cv2.remap(values, x, y, how, borderMode=cv2.BORDER_REPLICATE)
    return moved
