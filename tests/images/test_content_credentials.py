"""Content credentials: found, believed in nothing, and not carried over."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from diffuse_cli.images import content_credentials
from diffuse_cli.images.image_io import Picture, Source, read_picture, write_picture
from tests.helpers.source_types import GENERATED, packet, plain, signed

SUFFIXES = (".png", ".jpg", ".webp", ".tif", ".avif")


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
