"""What a result says of its origin: nothing the input said is weakened."""

from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest
from PIL import Image

from diffuse_cli.images import xmp
from diffuse_cli.images.image_io import Encoding, read_picture, write_picture
from diffuse_cli.images.source_type import VOCABULARY, combined
from diffuse_cli.provenance import recipe
from diffuse_cli.provenance.source_type import fitting
from tests.helpers.source_types import stating


@pytest.mark.parametrize(
    ("before", "operation", "after"),
    [
        ("negativeFilm", "denoise", "algorithmicallyEnhanced"),
        ("digitalCapture", "inpaint", "compositeWithTrainedAlgorithmicMedia"),
        ("algorithmicallyEnhanced", "inpaint", "compositeWithTrainedAlgorithmicMedia"),
        ("compositeWithTrainedAlgorithmicMedia", "denoise", "compositeWithTrainedAlgorithmicMedia"),
        ("compositeSynthetic", "inpaint", "compositeSynthetic"),
        ("trainedAlgorithmicMedia", "super-resolve", "trainedAlgorithmicMedia"),
        ("aTermOfTheFuture", "denoise", "aTermOfTheFuture"),
    ],
)
def test_nothing_is_weakened(before: str, operation: str, after: str, tmp_path: Path) -> None:
    for form in range(3):
        with Image.new("RGB", (8, 8)) as image:
            image.save(tmp_path / "in.jpg", xmp=stating(before, form))
        picture = read_picture(tmp_path / "in.jpg")
        told = recipe.to_rdf({"operation": operation}, picture.source.source_type)
        picture = replace(picture, source=replace(picture.source, provenance=told))
        for suffix, policy in product((".png", ".jpg"), ("keep", "strip")):
            path = tmp_path / f"out{suffix}"
            write_picture(picture, path, encoding=Encoding(metadata=policy))  # type: ignore[arg-type]
            source = read_picture(path).source
            assert xmp.source_types(source.xmp) == [after]
            assert VOCABULARY.encode() + after.encode() in source.xmp
            found = recipe.read(path)
            assert found is not None
            assert found.get("input_source_type") == (before if before != after else None)


def test_what_fits() -> None:
    mean = {"operation": "super-resolve", "steps": 1}
    assert fitting(mean) == "algorithmicallyEnhanced"
    assert fitting({**mean, "steps": 6}) == "compositeWithTrainedAlgorithmicMedia"
    assert fitting({**mean, "steps": 6, "fidelity": 1.0}) == "algorithmicallyEnhanced"
    assert fitting({"operation": "generate", "steps": 24}) == "trainedAlgorithmicMedia"
    assert fitting({"operation": "denoise", "noise": 0.0}) is None
    assert fitting({"operation": "restore", "mask": "auto", "steps": 1}) == "compositeWithTrainedAlgorithmicMedia"
    assert fitting({"operation": "extend", "steps": 1}) == "compositeWithTrainedAlgorithmicMedia"
    assert fitting({"operation": "stylize", "strength": 0.5, "steps": 6, "fidelity": 0.0}) == (
        "compositeWithTrainedAlgorithmicMedia"
    )
    assert fitting({"operation": "stylize", "strength": 0.5, "steps": 1}) == "algorithmicallyEnhanced"
    assert fitting({"operation": "stylize", "strength": 0.0, "steps": 6, "fidelity": 0.0}) is None
    assert fitting({"operation": "compose", "blend": "seam", "band": 32}) == "compositeSynthetic"
    assert fitting({"operation": "compose", "blend": "gradient", "band": 32}) == "compositeCapture"
    nothing = {"operation": "restore", "noise": 0.0, "jpeg": 100.0, "blur": 0.0, "scale": 1.0, "boxes": [], "steps": 1}
    assert fitting(nothing) is None
    assert fitting({**nothing, "jpeg": 60.0}) == "algorithmicallyEnhanced"
    assert fitting({**nothing, "boxes": [[1, 2, 3, 4]]}) == "compositeWithTrainedAlgorithmicMedia"
    assert combined("print", None) == "print"
    assert combined("", None) is None


def test_a_recipe_without_room_leaves_the_type(tmp_path: Path) -> None:
    large = stating("digitalCapture").replace(b"rdf:about", b'xmlns:k="k" k:k="' + b"k" * 64_200 + b'" rdf:about', 1)
    merged = xmp.with_provenance(large, recipe.to_rdf({"operation": "denoise", "x": "y" * 900}, "digitalCapture"))
    assert len(merged) <= xmp.MOST_XMP
    assert merged.count(b"k" * 64_200) == 1
    assert b"yyy" not in merged
    assert xmp.source_types(merged) == ["algorithmicallyEnhanced"]
