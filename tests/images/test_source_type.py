"""What a result says of its origin: nothing the input said is weakened, and no content credentials are carried over."""

import io
import struct
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from diffuse_cli.images import content_credentials, xmp
from diffuse_cli.images.image_io import Encoding, Picture, Source, read_picture, write_picture
from diffuse_cli.images.source_type import VOCABULARY, combined
from diffuse_cli.images.xmp import IPTC_NAMESPACE
from diffuse_cli.provenance import recipe
from diffuse_cli.provenance.source_type import fitting
from tests.conftest import Run

SUFFIXES = (".png", ".jpg", ".webp", ".tif", ".avif")
URI = "http://cv.iptc.org/newscodes/digitalsourcetype/"
FORMS = (
    '<rdf:Description rdf:about="" xmlns:i="{ns}" i:DigitalSourceType="{uri}"/>',
    '<rdf:Description rdf:about="" xmlns:i="{ns}"><i:DigitalSourceType>{uri}</i:DigitalSourceType></rdf:Description>',
    '<rdf:Description rdf:about="" xmlns:i="{ns}"><i:DigitalSourceType rdf:resource="{uri}"/></rdf:Description>',
)


def packet(inside: str) -> bytes:
    rdf = f'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">{inside}</rdf:RDF>'
    return f'<x:xmpmeta xmlns:x="adobe:ns:meta/">{rdf}</x:xmpmeta>'.encode()


def stating(name: str, form: int = 0) -> bytes:
    return packet(FORMS[form].format(ns=IPTC_NAMESPACE, uri=URI + name))


def jumbf(content: bytes = b"") -> bytes:
    """A manifest store: a box of JUMBF, its description first."""
    uuid = bytes.fromhex("6332706100110010800000AA00389B71")
    description = uuid + b"\x03c2pa\0"
    inside = struct.pack(">I4s", 8 + len(description), b"jumd") + description + content
    return struct.pack(">I4s", 8 + len(inside), b"jumb") + inside


def plain(suffix: str) -> bytes:
    stream = io.BytesIO()
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (24, 32, 3), np.uint8))
    image.save(stream, {".jpg": "JPEG", ".tif": "TIFF"}.get(suffix, suffix[1:].upper()))
    return stream.getvalue()


def signed(suffix: str, store: bytes) -> bytes:
    """A file with a manifest store where the C2PA specification puts it."""
    data = plain(suffix)
    if suffix == ".jpg":
        first, second = store[:40], store[:8] + store[40:]  # in two segments, the box's head again in the second
        parts = (b"JP" + struct.pack(">HI", 1, number) + part for number, part in enumerate((first, second), start=1))
        return data[:2] + b"".join(b"\xff\xeb" + struct.pack(">H", 2 + len(p)) + p for p in parts) + data[2:]
    if suffix == ".png":
        chunk = struct.pack(">I", len(store)) + b"caBX" + store + struct.pack(">I", zlib.crc32(b"caBX" + store))
        return data[:33] + chunk + data[33:]
    if suffix == ".webp":
        body = data[12:] + b"C2PA" + struct.pack("<I", len(store)) + store + b"\0" * (len(store) % 2)
        return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body
    if suffix == ".tif":
        stream = io.BytesIO()
        with Image.open(io.BytesIO(data)) as image:
            image.save(stream, "TIFF", tiffinfo={52545: store})
        return stream.getvalue()
    body = bytes.fromhex("D8FEC3D61B0E483C92975828877EC481") + b"\0\0\0\0manifest\0" + bytes(8) + store
    return data + struct.pack(">I4s", 8 + len(body), b"uuid") + body


GENERATED = jumbf(b"\x71digitalSourceType\x78\x46" + (URI + "trainedAlgorithmicMedia").encode())


@pytest.mark.parametrize("suffix", SUFFIXES)
class TestContentCredentials:
    def test_are_found_and_not_carried_over(self, suffix: str, tmp_path: Path) -> None:
        (tmp_path / f"in{suffix}").write_bytes(signed(suffix, GENERATED))
        picture = read_picture(tmp_path / f"in{suffix}")
        assert ["C2PA" in part for part in picture.source.left_behind] == [True]
        assert picture.source.source_type == "trainedAlgorithmicMedia"
        for target in SUFFIXES:
            write_picture(picture, tmp_path / f"out{target}")
            written = (tmp_path / f"out{target}").read_bytes()
            assert b"c2pa" not in written
            assert not content_credentials.manifest(io.BytesIO(written))

    def test_other_files_have_none(self, suffix: str) -> None:
        assert content_credentials.manifest(io.BytesIO(plain(suffix))) == b""

    def test_no_length_is_believed(self, suffix: str) -> None:
        whole = signed(suffix, GENERATED)
        rng = np.random.default_rng(0)
        for cut in range(0, len(whole), max(len(whole) // 60, 1)):
            assert len(content_credentials.manifest(io.BytesIO(whole[:cut]))) <= cut
        for _ in range(300):
            broken = bytearray(whole)
            at = rng.integers(0, min(len(whole), 400))
            broken[at : at + 4] = rng.integers(0, 256, 4, np.uint8).tobytes()
            assert len(content_credentials.manifest(io.BytesIO(bytes(broken)))) <= len(broken)
            largest = whole[:at] + b"\xff\xff\xff\xff" + whole[at + 4 :]
            assert len(content_credentials.manifest(io.BytesIO(largest))) <= len(largest)


def test_jumbf_of_another_kind_is_no_manifest() -> None:
    other = GENERATED.replace(bytes.fromhex("6332706100110010800000AA00389B71"), bytes(16))
    assert content_credentials.manifest(io.BytesIO(signed(".jpg", other))) == b""


def test_a_link_to_a_manifest_is_told_and_removed(tmp_path: Path) -> None:
    link = '<rdf:Description rdf:about="" xmlns:dcterms="http://purl.org/dc/terms/" dcterms:provenance="https://a/b"/>'
    picture = Picture(pixels=np.zeros((8, 8, 3), np.float32), source=Source(xmp=packet(link)))
    with Image.new("RGB", (8, 8)) as image:
        image.save(tmp_path / "in.jpg", xmp=packet(link))
    assert any("link" in part for part in read_picture(tmp_path / "in.jpg").source.left_behind)
    write_picture(picture, tmp_path / "out.png")
    assert b"https://a/b" not in (tmp_path / "out.png").read_bytes()


@pytest.mark.parametrize("form", range(3))
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le"])
def test_a_type_is_found_in_every_form(form: int, encoding: str) -> None:
    said = stating("negativeFilm", form).decode().encode(encoding)
    assert xmp.source_types(said) == ["negativeFilm"]
    assert xmp.source_types(b'<!DOCTYPE x [<!ENTITY e "e">]>' + stating("print")) == []


@pytest.mark.parametrize("form", range(3))
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
@pytest.mark.parametrize("suffix", [".png", ".jpg"])
@pytest.mark.parametrize("policy", ["keep", "strip"])
def test_nothing_is_weakened(
    before: str, operation: str, after: str, form: int, suffix: str, policy: str, tmp_path: Path
) -> None:
    with Image.new("RGB", (8, 8)) as image:
        image.save(tmp_path / "in.jpg", xmp=stating(before, form))
    picture = read_picture(tmp_path / "in.jpg")
    told = recipe.to_rdf({"operation": operation}, picture.source.source_type)
    picture = replace(picture, source=replace(picture.source, provenance=told))
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


def test_the_program_warns_and_tells(diffuse: Run, tmp_path: Path, toy_file: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(signed(".jpg", GENERATED))
    with Image.new("RGB", (32, 24), (90, 20, 200)) as image:
        image.save(tmp_path / "b.jpg", xmp=stating("digitalCapture"))
    options = ["inpaint", "--box", "2,2,9,9", "--model", toy_file, "-q"]
    result = diffuse(*options, "a.jpg", "b.jpg", "-o", "out/", "--format", "png")
    assert result.returncode == 0
    assert [b"a.png" in line and b"signature no longer applies" in line for line in result.stderr.splitlines()] == [
        True
    ]
    types = {p.stem: read_picture(p).source.source_type for p in (tmp_path / "out").iterdir()}
    assert types == {"a": "trainedAlgorithmicMedia", "b": "compositeWithTrainedAlgorithmicMedia"}
    assert diffuse(*options, "b.jpg", "-o", "bare.png", "--no-provenance").returncode == 0
    bare = read_picture(tmp_path / "bare.png").source
    assert bare.source_type == ""  # no claim that it is a capture, which it was
    assert recipe.read(tmp_path / "bare.png") is None
