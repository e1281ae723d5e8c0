"""The lowest versions that pyproject.toml allows, of all but what is large or agrees with no other lowest version.

`python -m tools.lowest_versions` prints them as pip's requirements. With `--check` it compares them with what is
installed.
"""

import argparse
import itertools
import re
import sys
import tomllib
from importlib import metadata
from pathlib import Path

from packaging.version import Version

ROOT = Path(__file__).parents[1]
LEFT_OUT = (
    "torch", "torchvision", "ray", "gcsfs", "s3fs", "diffusers", "transformers", "onnx", "onnxscript", "onnxruntime",
)  # fmt: skip


def lowest() -> dict[str, str]:
    """Name and lowest version of each dependency and of each extra's.

    Raises: ValueError: a dependency has no lower bound.
    """
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    found = {}
    for line in itertools.chain(project["dependencies"], *project["optional-dependencies"].values()):
        match = re.match(r"([A-Za-z0-9._-]+)(?:\[[a-z,]+\])?>=([^,;]+)", line)
        if match is None:
            raise ValueError(f"pyproject.toml: {line} has no lower bound")
        if match[1] not in LEFT_OUT:
            found[match[1]] = match[2]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    if not parser.parse_args().check:
        print("\n".join(f"{name}=={version}" for name, version in lowest().items()))
        return
    installed = {name: metadata.version(name) for name in lowest()}
    wrong = [
        f"{name} {installed[name]}" for name, least in lowest().items() if Version(installed[name]) != Version(least)
    ]
    sys.exit(f"not the lowest versions: {', '.join(wrong)}" if wrong else 0)


if __name__ == "__main__":
    main()
