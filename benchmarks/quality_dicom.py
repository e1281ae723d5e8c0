"""Noise on a CT, an MR and an X-ray picture, removed by `denoise` and by others: `python -m benchmarks.quality_dicom`.

The slices come with pydicom, and the X-ray picture with the package pydicom-data. The CT gets the quantum noise of a
parallel beam before filtered back projection, the MR Rician noise, the X-ray picture the Poisson noise of fewer
photons. The other tools are told the true std. Writes checkpoints/measured/dicom.json.
"""

import importlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.tables import MEASURED
from diffuse_cli import Denoise, Model, restore
from diffuse_cli.diffusion.checkpoint import file_sha256, find
from diffuse_cli.images.dicom_values import stored_values
from diffuse_cli.images.image_io import read_picture
from tests.helpers.dicom_files import dataset, save

Floats = NDArray[np.float64]
WATER = 0.0192
"""Attenuation of water by mm, and the CT's pixels are taken for 1 mm."""
RADIUS = 6


@dataclass(frozen=True, kw_only=True, eq=False)
class Scan:
    """A slice with a faint disc, and the window that is looked at."""

    name: str
    clean: Floats
    disc: tuple[int, int]
    window: tuple[float, float]
    doses: tuple[float, ...]
    body: float

    def parts(self) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """The disc, and a ring around it."""
        y, x = np.ogrid[: self.clean.shape[0], : self.clean.shape[1]]
        far = np.hypot(y - self.disc[0], x - self.disc[1])
        return far < RADIUS, (far > RADIUS + 2) & (far < 2 * RADIUS + 2)


def stored(name: str) -> Floats:
    data = importlib.import_module("pydicom.data")
    picture = read_picture(Path(data.get_testdata_file(name, download=False)))
    assert picture.source.dicom is not None
    return stored_values(picture, picture.source.dicom).astype(np.float64)


def halved(values: Floats) -> Floats:
    rows, columns = values.shape
    return np.asarray(values.reshape(rows // 2, 2, columns // 2, 2).mean((1, 3)))


def scans() -> Iterator[Scan]:
    head = np.maximum(stored("J2K_pixelrep_mismatch.dcm"), -1000)
    half, leg = halved(head), halved(stored("RG3_UNCR.dcm"))[560:848, 280:568].copy()
    body = stored("examples_overlay.dcm")[:288, 100:388].copy()
    made = (
        Scan(name="CT", clean=half, disc=(182, 121), window=(-60, 140), doses=(1e6, 2.5e5, 6e4), body=-200),
        Scan(name="MR", clean=body, disc=(150, 160), window=(0, 800), doses=(10, 25, 50), body=60),
        Scan(name="X-ray", clean=leg, disc=(90, 150), window=(0, 1023), doses=(5, 1.2, 0.3), body=20),
    )
    for scan, contrast in zip(made, (20, 60, 40), strict=True):
        scan.clean[scan.parts()[0]] += contrast
        yield scan


def noisy(scan: Scan, dose: float, rng: np.random.Generator) -> NDArray[np.int32]:
    if scan.name == "MR":
        real, imaginary = (rng.normal(0, dose, scan.clean.shape) for _ in range(2))
        return np.asarray(np.rint(np.hypot(scan.clean + real, imaginary)), np.int32)
    if scan.name == "X-ray":  # photons of a level
        return np.asarray(np.clip(np.rint(rng.poisson(np.maximum(scan.clean, 0) * dose) / dose), 0, 1023), np.int32)
    transform = importlib.import_module("skimage.transform")
    angles, size = np.linspace(0, 180, 400, endpoint=False), scan.clean.shape[0]
    lines = transform.radon(np.maximum(scan.clean / 1000 + 1, 0) * WATER, angles, circle=False)
    counted = -np.log(np.maximum(rng.poisson(dose * np.exp(-lines)), 1) / dose)
    noise = transform.iradon(counted - lines, angles, circle=False, output_size=size) / WATER * 1000
    return np.asarray(np.clip(np.rint(scan.clean + noise), -1024, 3000), np.int32)


def results(scan: Scan, values: NDArray[np.int32], model: Model) -> Iterator[tuple[str, Floats]]:
    """Every tool's result. The classics work on 0..1."""
    cv2, bm3d = importlib.import_module("cv2"), importlib.import_module("bm3d")
    total_variation = importlib.import_module("skimage.restoration").denoise_tv_chambolle
    with TemporaryDirectory() as folder:
        tags = dataset([values], stored=16, signed=True)
        tags.Modality = scan.name if scan.name in ("CT", "MR") else "CR"
        picture = read_picture(save(tags, Path(folder) / "a.dcm"))
    dicom = picture.source.dicom
    assert dicom is not None
    low, span = dicom.low, dicom.high - dicom.low
    unit, std = (values - low) / span, float((values - scan.clean).std()) / span
    yield "noisy", values.astype(np.float64)
    restored: Any = restore(picture, Denoise(), model=model)
    yield "diffuse", stored_values(restored, dicom).astype(np.float64)
    levels = np.rint(unit * 65535).astype(np.uint16)
    means = cv2.fastNlMeansDenoising(
        levels, h=[std * 65535], templateWindowSize=7, searchWindowSize=21, normType=cv2.NORM_L1
    )
    yield "fastNlMeans", means / 65535 * span + low
    yield "total variation", total_variation(unit, weight=1.5 * std) * span + low
    yield "BM3D", bm3d.bm3d(unit, std) * span + low


def main() -> None:
    metrics = importlib.import_module("skimage.metrics")
    model, rng, rows = Model.load("photo", device="cpu"), np.random.default_rng(0), []
    for scan in scans():
        disc, ring = scan.parts()
        for dose in scan.doses:
            values = noisy(scan, dose, rng)
            std = float((values - scan.clean)[scan.clean > scan.body].std())
            wanted, span = np.clip(scan.clean, *scan.window), scan.window[1] - scan.window[0]
            for method, result in results(scan, values, model):
                shown = np.clip(result, *scan.window)
                rows.append(
                    {
                        "scan": scan.name,
                        "noise": std,
                        "method": method,
                        "psnr": float(metrics.peak_signal_noise_ratio(wanted, shown, data_range=span)),
                        "ssim": float(metrics.structural_similarity(wanted, shown, data_range=span)),
                        "cnr": float(abs(result[disc].mean() - result[ring].mean()) / result[ring].std()),
                    }
                )
                print(json.dumps(rows[-1]), flush=True)
    told = {"checkpoint": file_sha256(find("photo")), "rows": rows}
    (MEASURED / "dicom.json").write_text(json.dumps(told, indent=1) + "\n")


if __name__ == "__main__":
    main()
