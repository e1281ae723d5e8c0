"""A very wide picture restored in its own space, or by way of sRGB: python -m benchmarks.quality_profiles PICTURE...

Each picture (8-bit sRGB, its middle 160x160) is turned into ProPhoto RGB, white noise is added to those numbers, and it
is denoised as it is, and after conversion to sRGB (with the level measured there). PSNR is taken in sRGB.
"""

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from diffuse_cli import Denoise, restore
from diffuse_cli.images.image_io import read_picture

Floats = NDArray[np.float64]
# IEC 61966-2-1 and ISO 22028-2, with Bradford's adaptation from D50 to D65.
SRGB_TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
D50_TO_D65 = np.array(
    [[0.9555766, -0.0230393, 0.0631636], [-0.0282895, 1.0099416, 0.0210077], [0.0122982, -0.0204830, 1.3299098]]
)
PROPHOTO_TO_XYZ = np.array([[0.7976749, 0.1351917, 0.0313534], [0.2880402, 0.7118741, 0.0000857], [0, 0, 0.8252100]])
WIDEN = np.linalg.inv(PROPHOTO_TO_XYZ) @ np.linalg.inv(D50_TO_D65) @ SRGB_TO_XYZ


def to_prophoto(srgb: Floats) -> Floats:
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((np.maximum(srgb, 0) + 0.055) / 1.055) ** 2.4)
    wide: Floats = np.clip(linear @ WIDEN.T, 0, None) ** (1 / 1.8)
    return wide


def to_srgb(prophoto: Floats) -> Floats:
    linear = np.clip(prophoto, 0, None) ** 1.8 @ np.linalg.inv(WIDEN).T
    srgb: Floats = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * np.maximum(linear, 1e-9) ** (1 / 2.4) - 0.055)
    return srgb


def psnr(a: Floats, b: Floats) -> float:
    return float(-10 * np.log10(np.mean((np.clip(a, 0, 1) - b) ** 2)))


def denoised(picture: Floats, level: float) -> Floats:
    return restore(picture.astype(np.float32), Denoise(noise=level)).astype(np.float64)


def main(paths: list[Path]) -> None:
    for level in (10, 25):
        own, via = [], []
        for path in paths:
            pixels = (read_picture(path).pixels.astype(np.float64) + 1) / 2
            top, left = (max(side - 160, 0) // 2 for side in pixels.shape[:2])
            clean = pixels[top : top + 160, left : left + 160]
            noise = np.random.default_rng(0).normal(0, level / 255, clean.shape)
            noisy = to_prophoto(clean) + noise
            own.append(psnr(to_srgb(denoised(noisy, level)), clean))
            converted = to_srgb(noisy)
            there = float(np.median(np.abs(converted - clean))) / 0.6745 * 255
            via.append(psnr(denoised(converted, there), clean))
        print(f"noise {level}: own space {np.mean(own):.2f} dB, by way of sRGB {np.mean(via):.2f} dB")


if __name__ == "__main__":
    main([Path(name) for name in sys.argv[1:]])
