"""Make pictures with every command, and each of them again from its recipe: python -m tools.replays PICTURE...

Small crops are used, in several formats; the last line says how many came out byte for byte alike.
"""

import contextlib
import os
import sys
import tempfile
from pathlib import Path

from PIL import Image
from typer.testing import CliRunner

from diffuse_cli.cli.app import app

SIZE = (96, 72)
MADE = {
    "degrade --noise 15 --seed 2": ".png",
    "degrade --blur 1 --jpeg 60": ".jpg",
    "denoise --noise 20": ".png",
    "denoise --quality 90": ".webp",
    "denoise --noise poisson --strength 0.8": ".tif",
    "denoise --noise 20 --steps 3 --seed 4": ".png",
    "inpaint --box 10,10,20,20 --box 50,30,15,30": ".png",
    "inpaint --mask MASK --invert-mask --metadata strip": ".avif",
    "super-resolve --scale 2": ".png",
    "super-resolve --long-edge 130 --steps 3": ".jpg",
    "restore": ".png",
    "restore --scale 1.5 --noise 4 --only noise --mask MASK": ".tif",
    "deblur --blur 1": ".png",
    "dejpeg --jpeg 50": ".jpg",
    "enhance": ".png",
    "extend --pad 9,0,5,7 --steps 2": ".png",
    "compose --insert OTHER --at 20,-5 --scale 0.7": ".png",
    "stylize --style OTHER --steps 1 --mask MASK": ".png",
    "generate --size 32x24 --steps 3 --seed 1": ".png",
}


def run(*words: str | Path) -> int:
    with open(os.devnull, "w") as nothing, contextlib.redirect_stderr(nothing):
        return CliRunner().invoke(app, [str(word) for word in words]).exit_code


def replayed(options: str, source: Path, suffix: str) -> bool:
    """Whether what is made of a picture is made again alike."""
    mask, other = source.with_name("mask.png"), source.with_name("other.png")
    op, *words = options.replace("MASK", str(mask)).replace("OTHER", str(other)).split()
    made, again = source.with_name(f"made{suffix}"), source.with_name(f"again{suffix}")
    inputs: list[Path] = [] if op == "generate" else [source]
    if run(op, *inputs, *words, "-o", made, "-q", "-f") != 0:
        return False
    given: list[str | Path] = [] if op == "generate" else ["--input", source]
    given += ["--mask", mask] if "MASK" in options else []
    given += ["--insert" if op == "compose" else "--style", other] if "OTHER" in options else []
    return run("replay", made, *given, "-o", again, "-f") == 0 and made.read_bytes() == again.read_bytes()


def main() -> None:
    """Every command on every picture."""
    good, total = 0, 0
    with tempfile.TemporaryDirectory() as name:
        source = Path(name) / "in.png"
        hole = Image.new("L", SIZE)
        hole.paste(255, (30, 20, 50, 40))
        hole.save(source.with_name("mask.png"))
        for path in map(Path, sys.argv[1:]):
            with Image.open(path) as image:
                x, y = (image.width - SIZE[0]) // 2, (image.height - SIZE[1]) // 2
                crop = image.convert("RGB").crop((x, y, x + SIZE[0], y + SIZE[1]))
            crop.save(source)
            crop.transpose(Image.Transpose.ROTATE_180).save(source.with_name("other.png"))
            for options, suffix in MADE.items():
                alike = replayed(options, source, suffix)
                good, total = good + alike, total + 1
                if not alike:
                    print(f"{path}: {options}: not alike")
    print(f"{good} of {total} results came out byte for byte alike")
    sys.exit(good != total)


if __name__ == "__main__":
    main()
