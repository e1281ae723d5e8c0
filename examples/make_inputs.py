"""Make the damaged inputs of this folder from scikit-image's own photographs: python examples/make_inputs.py

Needs scikit-image for the originals; the files it writes are committed, so nobody has to run it.
"""

from pathlib import Path

import numpy as np
import skimage.data
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from diffuse_cli.degradation.damage import Damage
from diffuse_cli.images import image_io
from diffuse_cli.images.image_io import Picture, to_levels, to_unit

HERE = Path(__file__).resolve().parent


def scratches(size: tuple[int, int], seed: int) -> Image.Image:
    """A mask: white polylines and specks on black."""
    rng = np.random.default_rng(seed)
    mask = Image.new("L", size, 0)
    draw = ImageDraw.Draw(mask)
    width, height = size
    for _ in range(9):
        x, points = rng.uniform(0, width), []
        for y in np.linspace(0, height * rng.uniform(0.4, 1), 6):
            points.append((x, y))
            x += rng.normal(0, 18)
        draw.line(points, fill=255, width=int(rng.integers(2, 6)), joint="curve")
    for _ in range(60):
        x, y, r = rng.uniform(0, width), rng.uniform(0, height), rng.uniform(1, 4)
        draw.ellipse([x - r, y - r, x + r, y + r], fill=255)
    return mask


def corner_noise(size: tuple[int, int]) -> np.ndarray:
    """Noise std in levels, as behind a lens whose shading was evened out: 6 in the middle, 34 in the corners."""
    v, u = np.mgrid[-1 : 1 : size[0] * 1j, -1 : 1 : size[1] * 1j]
    return (6 + 14 * (u**2 + v**2)).round()


def ellipse(size: tuple[int, int]) -> Image.Image:
    """An alpha: opaque in the middle, soft at the border."""
    mask = Image.new("L", size, 0)
    ImageDraw.Draw(mask).ellipse([5, 5, size[0] - 6, size[1] - 6], fill=255)
    return mask.filter(ImageFilter.GaussianBlur(2))


def darkened(levels: NDArray[np.uint8], stops: float, seed: int) -> image_io.Picture:
    """So many stops less light, with a sensor's noise (variance = light / 2000 + 1e-6), in 16 bits."""
    v = levels / 255
    light = np.where(v <= 0.04045, v / 12.92, ((v + 0.055) / 1.055) ** 2.4) * 2**-stops
    light = light + np.sqrt(light / 2000 + 1e-6) * np.random.default_rng(seed).standard_normal(light.shape)
    light = light.clip(0, 1)
    dark = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return image_io.Picture(pixels=image_io.to_unit(np.round(65535 * dark).astype(np.uint16), 16), depth=16)


def old_photo() -> Image.Image:
    """A portrait in gray, faded and grainy, with scratches, dust and a torn border."""
    portrait = (
        Image.fromarray(skimage.data.astronaut()).crop((30, 0, 430, 400)).convert("L").point(lambda v: 30 + 0.8 * v)
    )
    picture = Picture(pixels=to_unit(np.asarray(portrait)[..., None], 8))
    for damage in (
        Damage(noise=6, seed=1),
        Damage(mask="scratches", mask_share=0.008, worn=True, seed=3),
        Damage(mask="dust", mask_share=0.004, worn=True, seed=2),
        Damage(mask="tears", mask_share=0.015, worn=True, seed=2),
    ):
        picture, _ = damage.apply(picture)
    return Image.fromarray(to_levels(picture.pixels, 8)[..., 0])


def watermark(size: tuple[int, int]) -> Image.Image:
    """A mask: white letters across the picture, with antialiased rims."""
    mask = Image.new("L", size, 0)
    font = ImageFont.load_default(size[0] / 3.4)
    ImageDraw.Draw(mask).text((size[0] / 2, size[1] / 2), "PROOF", fill=255, font=font, anchor="mm")
    return mask


def main() -> None:
    """Write every input."""
    astronaut = skimage.data.astronaut()[:240, 90:410].astype(np.float64)
    std = corner_noise(astronaut.shape[:2])
    noisy = astronaut + np.random.default_rng(2).normal(size=astronaut.shape) * std[..., None]
    Image.fromarray(noisy.round().clip(0, 255).astype(np.uint8)).save(HERE / "corners_noisy.png", optimize=True)
    Image.fromarray(std.astype(np.uint8)).save(HERE / "corners_std.png", optimize=True)
    old_photo().save(HERE / "old_photo.png", optimize=True)

    cat = skimage.data.chelsea().astype(np.float64)
    noisy = cat + np.random.default_rng(0).normal(0, 25, cat.shape)
    Image.fromarray(noisy.round().clip(0, 255).astype(np.uint8)).save(HERE / "cat_noisy.png", optimize=True)

    coffee = Image.fromarray(skimage.data.coffee()).crop((120, 40, 440, 280))
    coffee.resize((80, 60), Image.Resampling.BICUBIC).save(HERE / "coffee_small.png", optimize=True)

    camera = Image.fromarray(skimage.data.camera())
    mask = scratches(camera.size, seed=4)
    camera.paste(245, mask=mask)
    camera.save(HERE / "camera_scratched.png", optimize=True)
    mask.point(lambda v: 255 * (v > 0)).convert("1").save(HERE / "camera_mask.png", optimize=True)

    table = Image.fromarray(skimage.data.coffee()).crop((100, 60, 420, 300))
    table.save(HERE / "coffee_table.jpg", quality=90)
    garden = Image.fromarray(skimage.data.chelsea()).crop((20, 40, 340, 240))
    letters = watermark(garden.size)
    garden.paste((255, 255, 255), mask=letters.point(lambda v: round(0.45 * v)))
    garden.save(HERE / "cat_watermark.png", optimize=True)
    letters.save(HERE / "cat_watermark_mask.png", optimize=True)
    face = Image.fromarray(skimage.data.chelsea()).crop((110, 20, 340, 210)).resize((92, 76), Image.Resampling.BICUBIC)
    face.putalpha(ellipse(face.size))
    face.save(HERE / "cat_cutout.png", optimize=True)
    image_io.write_picture(darkened(skimage.data.chelsea()[30:190, 100:320], 3, seed=2), HERE / "cat_dark.png")

    rocket = skimage.data.rocket().astype(np.float64)
    noisy = rocket + np.random.default_rng(1).normal(0, 15, rocket.shape)
    small = Image.fromarray(noisy.round().clip(0, 255).astype(np.uint8))
    small.save(HERE / "rocket_noisy.jpg", quality=85, subsampling="4:2:0")


if __name__ == "__main__":
    main()
