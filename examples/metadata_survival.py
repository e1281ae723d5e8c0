"""What of real files' metadata survives: python examples/metadata_survival.py OUT.md PICTURE...

Every picture goes through `diffuse inpaint` with a mask of one pixel, once as it is and once with `--metadata safe`;
exiftool reads inputs and outputs, and the table says how many of each kind of tags came through with the same value.
"""

import json
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

KINDS = {"EXIF": "EXIF", "MakerNotes": "maker notes", "XMP": "XMP", "IPTC": "IPTC", "ICC_Profile": "profile"}
ABOUT_THE_FILE = re.compile(
    r"Thumbnail(Offset|Length|Image)|Preview\w*(Start|Offset|Length|Image)|XMPToolkit|IFD1:|(Image|ExifImage)(Width|Height|Length)"
    r"|Strip|Rows|Compression|Predictor|BitsPer|Tile|Planar|SamplesPer|Photometric|Orientation|YCbCrPos|YCbCrSub|JpgFromRaw"
    r"|OtherImage|ColorMap|SubfileType|ExtraSamples|SampleFormat|FillOrder|ExifByteOrder"
)
PROGRAM = str(Path(sysconfig.get_path("scripts")) / "diffuse")
PRIVATE = re.compile(r"GPS(?!Version)|Serial|OwnerName|ImageUniqueID|DocumentID|InstanceID")


def tags(folder: Path, names: list[str]) -> dict[str, dict[str, Any]]:
    """Exiftool's tags of each file, with both groups in the name, but those that cannot be computed from the file."""
    command = ["exiftool", "-j", "-G0:1", "-u", "-a", "-n", "-q", "-q", *names]
    text = subprocess.run(command, cwd=folder, capture_output=True, check=False).stdout
    return {entry["SourceFile"]: entry for entry in json.loads(text)}


def row(name: str, before: dict[str, Any], after: dict[str, Any], safe: dict[str, Any], note: str) -> str:
    """One line of the table."""
    camera = " ".join(str(before.get(f"EXIF:IFD0:{tag}", "")) for tag in ("Make", "Model")).strip() or "-"
    cells = []
    for kind in KINDS:
        wanted = {k: v for k, v in before.items() if k.startswith(f"{kind}:") and not ABOUT_THE_FILE.search(k)}
        kept = sum(after.get(k) == v for k, v in wanted.items())
        cells.append("-" if not wanted else f"{kept} of {len(wanted)}" if kept < len(wanted) else f"all {kept}")
    old, new = "EXIF:IFD1:ThumbnailLength", after.get("EXIF:IFD1:ThumbnailLength")
    cells.append("-" if old not in before else "made anew" if new else "removed")
    left = sum(bool(PRIVATE.search(k)) for k in safe if not k.startswith(("Composite", "ICC_Profile")))
    had = sum(bool(PRIVATE.search(k)) for k in before if not k.startswith(("Composite", "ICC_Profile")))
    return f"| `{name}` | {camera} | {' | '.join(cells)} | {note or '-'} | {left} of {had} |"


def main(out: Path, pictures: list[Path]) -> None:
    """Write the table."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        names = []
        for picture in pictures:
            suffix = ".jpg" if picture.suffix.lower() == ".mpo" else picture.suffix
            taken = picture.stem.casefold() in (Path(name).stem.casefold() for name in names)
            names.append(f"{picture.stem}{'_2' * taken}{suffix}")
            shutil.copy(picture, folder / names[-1])
        for made, policy in (("keep", "keep"), ("safe", "safe")):
            command = [PROGRAM, "inpaint", *names, "--box", "0,0,1,1", "-q", "--metadata", policy, "-o", f"{made}/"]
            result = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
            if result.returncode not in (0, 1):
                sys.exit(result.stderr)
            said = result.stderr
        every = [*names, *(f"{made}/{name}" for made in ("keep", "safe") for name in names)]
        found = tags(folder, [name for name in every if (folder / name).exists()])
        head = ["file", "camera", *KINDS.values(), "thumbnail", "not carried over", "private tags left by `safe`"]
        lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
        for name in names:
            notes = re.findall(rf"^safe/{re.escape(name)}: without (.*) of the input", said, re.MULTILINE)
            if f"safe/{name}" in found:
                safe = found[f"safe/{name}"]
                lines.append(row(name, found[name], found[f"keep/{name}"], safe, "; ".join(notes)))
            else:
                reason = re.findall(rf"diffuse: {re.escape(name)}: (.*)", said)
                cells = f"| `{name}` | refused: {reason[-1] if reason else 'see stderr'} |"
                lines.append(cells + " |" * (len(head) - 2))
        out.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), [Path(name) for name in sys.argv[2:]])
