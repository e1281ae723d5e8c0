"""Recipes: in every format's own metadata, beside what is there already, and read again without decoding."""

from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from diffuse_cli.diffusion.settings import Settings
from diffuse_cli.images.image_io import Encoding, Picture, Source, read_picture, write_picture
from diffuse_cli.images.xmp import with_provenance
from diffuse_cli.provenance import recipe

RECIPE = {
    "operation": "denoise",
    "diffuse": "0.1.0",
    "noise": 24.5,
    "note": "<\"quoted\"> & 'é'",
    "numbers": [[1, 2, 3, 4]],
}
XMP = (
    b'<?xpacket begin="\xef\xbb\xbf" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
    b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="uuid:1"'
    b' xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"'
    b' Iptc4xmpExt:DigitalSourceType="http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture"'
    b' dc:format="kept"/></rdf:RDF></x:xmpmeta>    <?xpacket end="w"?>'
)


def picture(xmp: bytes = b"", provenance: bytes = b"") -> Picture:
    pixels = np.linspace(-1, 1, 20 * 30 * 3, dtype=np.float32).reshape(20, 30, 3)
    return Picture(pixels=pixels, source=Source(xmp=xmp, provenance=provenance))


@pytest.mark.parametrize("policy", ["keep", "safe", "strip"])
@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tif", ".avif"])
def test_comes_back_from_every_format(tmp_path: Path, suffix: str, policy: str) -> None:
    path = tmp_path / f"out{suffix}"
    encoding = Encoding(metadata=policy)  # type: ignore[arg-type]
    write_picture(picture(XMP, recipe.to_rdf(RECIPE)), path, encoding=encoding)
    assert recipe.read(path) == RECIPE
    xmp = read_picture(path).source.xmp
    assert (b"kept" in xmp) == (policy != "strip")
    assert b"algorithmicallyEnhanced" in xmp
    assert b"digitalCapture" not in xmp
    ElementTree.fromstring(xmp.decode().split("?>", 1)[1].rsplit("<?", 1)[0])


def test_comes_back_from_16_bit_png(tmp_path: Path) -> None:
    write_picture(replace(picture(b"", recipe.to_rdf(RECIPE)), depth=16), tmp_path / "a.png")
    assert recipe.read(tmp_path / "a.png") == RECIPE


def test_a_result_of_a_result_tells_the_last_step_alone(tmp_path: Path) -> None:
    write_picture(picture(XMP, recipe.to_rdf(RECIPE)), tmp_path / "a.png")
    first = read_picture(tmp_path / "a.png")
    second = replace(first, source=replace(first.source, provenance=recipe.to_rdf({"operation": "inpaint"})))
    write_picture(second, tmp_path / "b.png")
    assert recipe.read(tmp_path / "b.png") == {"operation": "inpaint"}
    xmp = read_picture(tmp_path / "b.png").source.xmp
    assert xmp.count(b"diffuse:recipe") == 1
    assert xmp.count(b"DigitalSourceType") == 1
    assert b"compositeWithTrainedAlgorithmicMedia" in xmp
    write_picture(first, tmp_path / "c.png")  # --no-provenance must not hand on another step's recipe
    assert recipe.read(tmp_path / "c.png") is None
    assert b"kept" in read_picture(tmp_path / "c.png").source.xmp


def test_xmp_that_would_not_fit_stays_as_it_was(tmp_path: Path) -> None:
    large = XMP.replace(b"kept", b"k" * 64_000)
    assert with_provenance(large, recipe.to_rdf({"x": "y" * 900})).count(b"k" * 64_000) == 1
    write_picture(picture(large, recipe.to_rdf({"x": "y" * 900})), tmp_path / "a.jpg")
    assert recipe.read(tmp_path / "a.jpg") is None


def test_rewritten_by_another_tool(tmp_path: Path) -> None:
    """Tools write a property as an element, too."""
    xmp = with_provenance(XMP, recipe.to_rdf(RECIPE))
    text = xmp.decode()
    start = text.index(' diffuse:recipe="')
    end = text.index('"', start + 17)
    element = f"><diffuse:recipe>{text[start + 17 : end]}</diffuse:recipe></rdf:Description>"
    head, tail = text[:start], text[end + 1 :]
    rewritten = head + tail.split("/>", 1)[0] + element + tail.split("/>", 1)[1]
    Image.new("RGB", (9, 9)).save(tmp_path / "a.jpg", xmp=rewritten.encode())
    assert recipe.read(tmp_path / "a.jpg") == RECIPE


@pytest.mark.parametrize("data", [b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"RIFF", b"II*\0", b"diffuse:recipe='{'"])
def test_what_has_none_says_so(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "x").write_bytes(data)
    assert recipe.read(tmp_path / "x") is None
    assert recipe.read(tmp_path / "nosuch") is None


def test_agreement() -> None:
    wanted = {"operation": "denoise", "estimated": {"noise": "auto"}, "steps": 1}
    assert recipe.agrees({**wanted, "noise": 3.5}, wanted)
    assert not recipe.agrees({**wanted, "steps": 2}, wanted)
    assert not recipe.agrees({"operation": "denoise"}, wanted)
    assert not recipe.agrees(None, wanted)
    assert recipe.agrees({**wanted, "estimated": ["noise"], "noise": 3.5}, wanted)  # as 0.1.0 told it


OLD = [
    ({"operation": "denoise", "estimated": ["noise by brightness"]}, {"estimated": {"noise": "poisson"}}),
    ({"operation": "denoise", "estimated": ["noise by brightness and place"]}, {"estimated": {"noise": "auto-map"}}),
    ({"operation": "denoise", "estimated": ["unheard of"]}, {"estimated": {"unheard of": "auto"}}),
    (
        {"operation": "restore", "estimated": ["noise if blurred", "blur"], "only": ["blur"], "wide_holes": "texture",
         "seed": 0, "steps": 1, "mask": None},
        {"estimated": {"noise": "if-blurred", "blur": "auto"}, "only": ["blur"], "steps": 1, "mask": None,
         "rounds": 0},
    ),
    (
        {"operation": "restore", "estimated": ["jpeg"], "wide_holes": "texture", "seed": 3, "steps": 6, "mask": None},
        {"estimated": {"jpeg": "auto"}, "seed": 3, "steps": 6, "mask": None, "rounds": 0},
    ),
    (
        {"operation": "restore", "estimated": [], "wide_holes": "texture", "seed": 0, "steps": 1, "mask": "alpha"},
        {"estimated": {}, "wide_holes": "texture", "seed": 0, "steps": 1, "mask": "alpha", "rounds": 0},
    ),
]  # fmt: skip


@pytest.mark.parametrize(("old", "now"), OLD)
def test_recipes_of_0_1_0_are_read_in_todays_form(tmp_path: Path, old: dict[str, Any], now: dict[str, Any]) -> None:
    Image.new("RGB", (9, 9)).save(tmp_path / "a.jpg", xmp=with_provenance(XMP, recipe.to_rdf(old)))
    found = recipe.read(tmp_path / "a.jpg")
    assert found == {"operation": old["operation"], **now}
    assert recipe.is_old(tmp_path / "a.jpg")
    assert recipe.current(found) == found
    Image.new("RGB", (9, 9)).save(tmp_path / "b.jpg", xmp=with_provenance(XMP, recipe.to_rdf(found)))
    assert not recipe.is_old(tmp_path / "b.jpg")


def test_only_what_decides_pixels_is_in_it() -> None:
    mean = recipe.of_computing("denoise", Settings(seed=1), "c", "fp32")
    assert mean == recipe.of_computing("denoise", Settings(seed=2), "c", "fp32")
    assert mean == recipe.of_computing("denoise", Settings(tile=1024), "c", "fp32")
    sample = recipe.of_computing("denoise", Settings(seed=1, steps=2), "c", "fp32")
    assert sample != recipe.of_computing("denoise", Settings(seed=2, steps=2), "c", "fp32")


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_xmp_in_utf_16_is_merged_into(encoding: str, mark: str) -> None:
    merged = with_provenance((mark + XMP.decode()).encode(encoding), recipe.to_rdf(RECIPE))
    assert merged == with_provenance(XMP, recipe.to_rdf(RECIPE))


@pytest.mark.parametrize("strange", [b"\xff\xfea", b"<x:xmpmeta/>", b"no XMP at all"])
def test_xmp_that_makes_no_sense_stays(strange: bytes) -> None:
    assert with_provenance(strange, recipe.to_rdf(RECIPE)) == strange
