"""DICOM: values survive to the last bit, tags survive, and what must change does."""

import importlib
import sys
import warnings
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from diffuse_cli.errors import PictureError, UsageError
from diffuse_cli.images.dicom_values import displayed, facts
from diffuse_cli.images.image_io import Encoding, Picture, read_pages, read_picture, write_pages, write_picture
from diffuse_cli.images.picture import levels_of, to_levels, to_unit
from diffuse_cli.images.rendering import rendered
from diffuse_cli.images.white_level import on_scale_of, told
from tests.helpers.dicom_files import PATIENT, SECRET, dataset, save, scene

pydicom = pytest.importorskip("pydicom")

IMPLICIT, EXPLICIT, BIG = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"
CHANGED = {0x00080008, 0x00080018, 0x00082111, 0x00082112, 0x00280106, 0x00280107, 0x00282110, 0x7FE00010}
"""Image type, UID, derivation, source, smallest, largest, lossy, pixels."""
KINDS: dict[str, dict[str, Any]] = {
    "8 bits": {"ends": (0, 255), "stored": 8, "allocated": 8},
    "10 bits": {"ends": (3, 1023), "stored": 10},
    "12 bits signed": {"ends": (-2048, 2047), "signed": True},
    "16 bits": {"ends": (0, 65535), "stored": 16},
    "16 bits signed": {"ends": (-32768, 32767), "stored": 16, "signed": True},
    "inverted": {"ends": (17, 4000), "kind": "MONOCHROME1"},
    "implicit": {"ends": (0, 4095), "syntax": IMPLICIT},
    "big endian": {"ends": (-1000, 2000), "stored": 16, "signed": True, "syntax": BIG},
    "flat": {"ends": (7, 7)},
}


def read_tags(path: Path) -> Any:  # noqa: ANN401
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tags = pydicom.dcmread(path, force=True)
        if "TransferSyntaxUID" not in getattr(tags, "file_meta", {}):
            tags.file_meta = pydicom.dataset.FileMetaDataset()
            tags.file_meta.TransferSyntaxUID = EXPLICIT
        return tags


def values_of(path: Path) -> NDArray[Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return np.asarray(read_tags(path).pixel_array)


def raw(tags: Any) -> dict[int, Any]:  # noqa: ANN401
    """The values of all tags as the file holds them; group lengths are retired, and no program keeps them."""
    return {int(tag): tags.get_item(tag).value for tag in tags.keys() if tag.element != 0}  # noqa: SIM118


@pytest.mark.parametrize("kind", KINDS)
def test_unchanged_values_and_tags_survive(kind: str, tmp_path: Path) -> None:
    how = dict(KINDS[kind])
    values = scene(*how.pop("ends"))
    path = save(dataset([values], **how), tmp_path / "a.dcm")
    write_picture(read_picture(path), tmp_path / "b.dcm")
    assert (values_of(tmp_path / "b.dcm") == values).all()
    before, after = raw(read_tags(path)), raw(read_tags(tmp_path / "b.dcm"))
    assert {tag for tag in before if before[tag] != after.get(tag)} <= CHANGED
    assert after.keys() - before.keys() <= CHANGED


def test_the_whole_range_is_used_and_black_is_black(tmp_path: Path) -> None:
    values = scene(100, 1300)
    for kind, dark in (("MONOCHROME2", 100), ("MONOCHROME1", 1300)):
        picture = read_picture(save(dataset([values], kind=kind), tmp_path / "a.dcm"))
        assert (float(picture.pixels.min()), float(picture.pixels.max())) == (-1, 1)
        assert ((picture.pixels[..., 0] == -1) == (values == dark)).all()
        assert picture.white == 1200
        assert told(picture) == ""
        assert picture.source.notes == (
            "DICOM: values 100 to 1300 are 255 levels, so one level is 4.71 HU",
        )  # fmt: skip


def test_a_result_is_derived_and_names_its_source(tmp_path: Path) -> None:
    path = save(dataset([scene(0, 900)]), tmp_path / "a.dcm")
    picture = read_picture(path)
    for name in ("b.dcm", "c.dcm"):
        write_picture(replace(picture, pixels=picture.pixels * np.float32(0.5)), tmp_path / name)
    tags = read_tags(tmp_path / "b.dcm")
    assert tags.ImageType == ["DERIVED", "PRIMARY", "AXIAL"]
    assert tags.SOPInstanceUID != "1.2.3.4"
    assert tags.SOPInstanceUID == tags.file_meta.MediaStorageSOPInstanceUID
    assert tags.SOPInstanceUID.is_valid
    assert tags.SourceImageSequence[0].ReferencedSOPInstanceUID == "1.2.3.4"
    assert tags.SourceImageSequence[0].PurposeOfReferenceCodeSequence[0].CodeValue == "121322"
    assert "not for diagnosis" in tags.DerivationDescription
    assert (tmp_path / "b.dcm").read_bytes() == (tmp_path / "c.dcm").read_bytes()  # so replay can compare
    write_picture(picture, tmp_path / "d.dcm")
    assert read_tags(tmp_path / "d.dcm").SOPInstanceUID != tags.SOPInstanceUID


def test_padding_is_kept_and_takes_no_part(tmp_path: Path) -> None:
    values = scene(-100, 900)
    values[:6], values[10, 10] = -2000, -1990
    made = dataset([values], stored=16, signed=True, PixelPaddingRangeLimit=-1990)
    made.add_new(0x00280120, "SS", -2000)
    picture = read_picture(save(made, tmp_path / "a.dcm"))
    assert picture.source.dicom is not None
    assert (picture.source.dicom.low, picture.source.dicom.high) == (
        int(values[values > -1990].min()),
        int(values.max()),
    )
    changed = replace(picture, pixels=np.zeros_like(picture.pixels))
    write_picture(changed, tmp_path / "b.dcm")
    after = values_of(tmp_path / "b.dcm")
    assert ((after == values) == (values < -1980)).all()
    assert (levels_of(displayed(changed))[:6] == 0).all()
    write_picture(replace(changed, pixels=changed.pixels.repeat(2, 0).repeat(2, 1)), tmp_path / "c.dcm")
    assert (values_of(tmp_path / "c.dcm")[:12] == -2000).all()


def test_an_enlargement_lies_where_the_picture_lay(tmp_path: Path) -> None:
    made = dataset([scene(0, 900)], ImagerPixelSpacing=["1", "1"])
    bits = scene(0, 1)
    made.add_new((0x6000, 0x0010), "US", 40)
    made.add_new((0x6000, 0x0011), "US", 48)
    made.add_new((0x6000, 0x0050), "SS", [1, 1])
    made.add_new((0x6000, 0x0100), "US", 1)
    made.add_new((0x6000, 0x3000), "OW", np.packbits(bits.astype(np.uint8), bitorder="little").tobytes())
    picture = read_picture(save(made, tmp_path / "a.dcm"))
    write_picture(replace(picture, pixels=picture.pixels.repeat(2, 0).repeat(4, 1)), tmp_path / "b.dcm")
    tags = read_tags(tmp_path / "b.dcm")
    assert (tags.Rows, tags.Columns) == (80, 192)
    assert tags.PixelSpacing == [0.25, 0.0625]
    assert tags.ImagerPixelSpacing == [0.5, 0.25]
    assert tags.ImagePositionPatient == [-10 - (0.25 - 0.0625) / 2, -20 - (0.5 - 0.25) / 2, 30]
    overlay = np.unpackbits(np.frombuffer(tags[0x6000, 0x3000].value, np.uint8), bitorder="little")
    assert (overlay.reshape(80, 192) == bits.repeat(2, 0).repeat(4, 1)).all()


def test_frames_share_their_range_and_are_written_together(tmp_path: Path) -> None:
    frames = [scene(0, 100), scene(50, 3000), scene(10, 20)]
    path = save(dataset(frames), tmp_path / "a.dcm")
    pages = list(read_pages(path))
    assert [page.white for page in pages] == [3000] * 3
    assert [page.source.pages for page in pages] == [3] * 3
    write_pages(pages, tmp_path / "b.dcm")
    assert (values_of(tmp_path / "b.dcm") == np.stack(frames)).all()
    with pytest.raises(PictureError, match="2 of 3 frames"):
        write_pages(pages[:2], tmp_path / "c.dcm")
    with pytest.raises(PictureError, match="3 pages"):
        read_picture(path)
    assert not (tmp_path / "c.dcm").exists()


def enhanced(frames: list[NDArray[np.int32]]) -> Any:  # noqa: ANN401
    """Each frame has a window, a slope and a place of its own."""

    def item(**tags: Any) -> Any:  # noqa: ANN401
        made = pydicom.Dataset()
        for name, value in tags.items():
            setattr(made, name, value)
        return made

    made = dataset(frames, SharedFunctionalGroupsSequence=[
        item(PixelMeasuresSequence=[item(PixelSpacing=["2", "2"])],
             PlaneOrientationSequence=[item(ImageOrientationPatient=[0, 1, 0, 0, 0, -1])])
    ])  # fmt: skip
    made.PerFrameFunctionalGroupsSequence = [
        item(
            PixelValueTransformationSequence=[item(RescaleSlope=k + 1, RescaleIntercept=0, RescaleType="HU")],
            FrameVOILUTSequence=[
                item(WindowCenter=str(500 * (k + 1)), WindowWidth=str(100 * (k + 1)), VOILUTFunction="LINEAR_EXACT")
            ],
            PlanePositionSequence=[item(ImagePositionPatient=[0, 0, k])],
            CTImageFrameTypeSequence=[item(FrameType=["ORIGINAL", "PRIMARY"])],
        )
        for k in range(len(frames))
    ]
    del made.PixelSpacing, made.ImageOrientationPatient, made.ImagePositionPatient
    return made


def test_functional_groups_of_each_frame_are_understood(tmp_path: Path) -> None:
    pages = list(read_pages(save(enhanced([scene(0, 1000)] * 2), tmp_path / "a.dcm")))
    shown = [levels_of(displayed(page)) for page in pages]
    assert (shown[0] == shown[1]).all()  # value 500 times 1 with window 500, and 500 times 2 with window 1000
    assert pages[1].source.dicom is not None
    assert facts(pages[1].source.dicom)["range"] == [0, 2000]
    large = [replace(page, pixels=page.pixels.repeat(2, 0).repeat(2, 1)) for page in pages]
    write_pages(large, tmp_path / "b.dcm")
    tags = read_tags(tmp_path / "b.dcm")
    assert tags.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].PixelSpacing == [1, 1]
    second = tags.PerFrameFunctionalGroupsSequence[1]
    assert second.PlanePositionSequence[0].ImagePositionPatient == [0, -0.5, 1.5]
    assert second.CTImageFrameTypeSequence[0].FrameType[0] == "DERIVED"


class TestTheWindow:
    """What other formats get."""

    def shown(self, tmp_path: Path, **tags: Any) -> tuple[NDArray[Any], NDArray[Any]]:  # noqa: ANN401
        values = scene(0, 3000)
        picture = read_picture(save(dataset([values], **tags), tmp_path / "a.dcm"))
        write_picture(picture, tmp_path / "a.png")
        written = read_picture(tmp_path / "a.png")
        assert written.depth == 16
        write_picture(picture, tmp_path / "a.jpg")
        near = np.asarray(rendered(picture), np.float64) - np.asarray(rendered(read_picture(tmp_path / "a.jpg")))
        assert np.abs(near).mean() < 3
        return values, levels_of(written)[..., 0] / 65535

    def test_it_is_linear(self, tmp_path: Path) -> None:
        values, shown = self.shown(
            tmp_path, WindowCenter=["40", "9"], WindowWidth=["401", "9"], RescaleSlope="2", RescaleIntercept="-1024"
        )
        wanted = np.clip((values * 2.0 - 1024 - 39.5) / 400 + 0.5, 0, 1)  # PS3.3, C.11.2.1.2.1
        np.testing.assert_allclose(shown, wanted, atol=1e-5)

    def test_it_is_exact_or_curved_if_the_file_says_so(self, tmp_path: Path) -> None:
        window = {"WindowCenter": "1000", "WindowWidth": "500"}
        values, shown = self.shown(tmp_path, **window, VOILUTFunction="LINEAR_EXACT")
        np.testing.assert_allclose(shown, np.clip((values - 1000) / 500 + 0.5, 0, 1), atol=1e-5)
        values, shown = self.shown(tmp_path, **window, VOILUTFunction="SIGMOID")
        np.testing.assert_allclose(shown, 1 / (1 + np.exp(-4 * (values - 1000) / 500)), atol=1e-5)

    def test_a_table_decides_before_a_window(self, tmp_path: Path) -> None:
        table = pydicom.Dataset()
        table.add_new(0x00283002, "US", [3001, 0, 16])
        table.add_new(0x00283006, "OW", (np.arange(3001, dtype="<u2") * 20).tobytes())
        values, shown = self.shown(tmp_path, VOILUTSequence=[table], WindowCenter="1", WindowWidth="2")
        np.testing.assert_allclose(shown, values * 20 / 65535, atol=1e-5)

    @pytest.mark.parametrize("width", ["0", "-5", "1"])
    def test_without_one_that_makes_sense_the_range_is_shown(self, tmp_path: Path, width: str) -> None:
        values, shown = self.shown(tmp_path, kind="MONOCHROME1", WindowCenter="40", WindowWidth=width)
        np.testing.assert_allclose(shown, 1 - values / 3000, atol=1e-5)

    def test_an_inverted_one_is_inverted(self, tmp_path: Path) -> None:
        values, shown = self.shown(tmp_path, kind="MONOCHROME1", WindowCenter="1500.5", WindowWidth="3001")
        np.testing.assert_allclose(shown, 1 - values / 3000, atol=1e-5)


def test_results_are_compared_by_their_values(tmp_path: Path) -> None:
    values = scene(-500, 1000)
    before = read_picture(save(dataset([values], stored=16, signed=True), tmp_path / "a.dcm"))
    narrower = np.clip(values, -300, 700)
    after = read_picture(save(dataset([narrower], stored=16, signed=True), tmp_path / "b.dcm"))
    moved = on_scale_of(after, before)
    assert (to_levels(moved.pixels, 16, before.white)[..., 0] == narrower + 500).all()


def coded(tags: Any, syntax: str, frame: bytes) -> Any:  # noqa: ANN401
    from pydicom.encaps import encapsulate
    from pydicom.uid import UID

    tags.file_meta.TransferSyntaxUID = UID(syntax)
    tags.PixelData = encapsulate([frame])
    tags["PixelData"].VR = "OB"
    tags["PixelData"].is_undefined_length = True
    return tags


def refused() -> Iterator[tuple[str, Any, str]]:
    values = scene(0, 200)
    colour = dataset([values], SamplesPerPixel=3)
    colour.PhotometricInterpretation = "RGB"
    yield "colour", colour, r"colour \(RGB\)"
    yield "mask", dataset([values], BitsAllocated=1, BitsStored=1, HighBit=0), "pixels of 1 bits"
    yield "dose", dataset([values], BitsAllocated=32, BitsStored=32, HighBit=31), "pixels of 32 bits"
    yield "left", dataset([values], HighBit=15), "lowest bit"
    report = dataset([values])
    del report.PixelData
    yield "report", report, "holds no picture"
    floats = dataset([values])
    del floats.PixelData
    floats.FloatPixelData = b"\0" * 8
    yield "floats", floats, "floating-point"
    overlay = dataset([values])
    overlay.add_new((0x6000, 0x0010), "US", 40)
    overlay.add_new((0x6000, 0x0102), "US", 12)
    yield "overlay", overlay, "overlay is hidden"
    yield "short", dataset([values], Rows=400), r"damaged or cut short.*\(ValueError\)"
    siz = b"\xff\x4f\xff\x51\0\x29\0\0" + (60000).to_bytes(4) * 2 + bytes(8)
    yield "j2k", coded(dataset([values]), "1.2.840.10008.1.2.4.90", siz + bytes(40)), "frame 1 is 60000x60000 but"
    sof = b"\xff\xd8\xff\xc3\0\x0b\x0c\xff\xff\xff\xff\x01\x01\x11\0"
    yield "jpeg", coded(dataset([values]), "1.2.840.10008.1.2.4.70", sof), "frame 1 is 65535x65535 but"
    film = coded(dataset([values]), "1.2.840.10008.1.2.4.100", bytes(40))
    yield "film", film, "coded in a way that is not read"


@pytest.mark.parametrize(("name", "made", "why"), list(refused()), ids=lambda one: one if isinstance(one, str) else "")
def test_what_does_not_fit_is_refused_in_one_line(name: str, made: Any, why: str, tmp_path: Path) -> None:  # noqa: ANN401
    path = save(made, tmp_path / f"{name}.dcm")
    with pytest.raises(PictureError, match=why) as caught:
        read_picture(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)
    assert PATIENT not in str(caught.value)
    assert SECRET not in str(caught.value)


def test_a_small_file_does_not_fill_the_memory(tmp_path: Path) -> None:
    made = dataset([scene(0, 200)])
    packer = zlib.compressobj(9, wbits=-15)
    packed = packer.compress(bytes(2**28 + 2**20)) + packer.flush()
    made.file_meta.TransferSyntaxUID = pydicom.uid.DeflatedExplicitVRLittleEndian
    save(made, tmp_path / "deflated.dcm")
    assert read_picture(tmp_path / "deflated.dcm").pixels.shape == (40, 48, 1)
    whole = (tmp_path / "deflated.dcm").read_bytes()
    length = 128 + 4 + 12 + read_tags(tmp_path / "deflated.dcm").file_meta.FileMetaInformationGroupLength
    (tmp_path / "bomb.dcm").write_bytes(whole[:length] + packed)
    with pytest.raises(PictureError, match="unpacks to more than 256 MiB"):
        read_picture(tmp_path / "bomb.dcm")


def test_only_what_was_dicom_becomes_dicom(tmp_path: Path) -> None:
    path = save(dataset([scene(0, 200)]), tmp_path / "a.dcm")
    picture = read_picture(path)
    plain = Picture(pixels=picture.pixels)
    with pytest.raises(PictureError, match="only a picture that was read from DICOM"):
        write_picture(plain, tmp_path / "b.dcm")
    with pytest.raises(PictureError, match="keeps all its tags"):
        write_picture(picture, tmp_path / "b.dcm", encoding=Encoding(metadata="safe"))
    with pytest.raises(PictureError, match="keeps its gray values"):
        write_picture(picture, tmp_path / "b.dcm", encoding=Encoding(depth="8"))
    with pytest.raises(PictureError, match="keeps its gray values"):
        write_picture(replace(picture, pixels=picture.pixels.repeat(3, 2)), tmp_path / "b.dcm")
    assert not (tmp_path / "b.dcm").exists()


def test_the_content_decides_and_not_the_name(tmp_path: Path) -> None:
    write_picture(Picture(pixels=to_unit(np.zeros((8, 8, 3), np.uint8), 8)), tmp_path / "a.png")
    (tmp_path / "a.dcm").write_bytes((tmp_path / "a.png").read_bytes())
    assert read_picture(tmp_path / "a.dcm").source.format == "PNG"
    path = save(dataset([scene(0, 200)]), tmp_path / "IM0001")
    assert read_picture(path).source.format == "DICOM"


def test_a_missing_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save(dataset([scene(0, 200)]), tmp_path / "a.dcm")
    picture = read_picture(path)
    monkeypatch.setitem(sys.modules, "pydicom", None)  # as if it were not installed
    with pytest.raises(PictureError, match=r"DICOM needs the extra \[dicom\]: pip install 'diffuse-cli\[dicom\]'"):
        read_picture(path)
    with pytest.raises(UsageError, match=r"needs the extra \[dicom\]"):
        write_picture(picture, tmp_path / "b.dcm")


def own_files() -> list[Path]:
    """The files that come with pydicom."""
    folder = Path(pydicom.__file__).parent / "data" / "test_files"
    return sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix in (".dcm", ""))


def test_every_readable_file_of_pydicom_survives(tmp_path: Path) -> None:
    """All but pixels and derivation is as it was; another reader, which is not pydicom, gets the same numbers."""
    pytest.importorskip("imageio")
    reader: Any = importlib.import_module("imageio.plugins._dicom").SimpleDicomReader
    read, seen = 0, 0
    for path in own_files():
        try:
            pages = list(read_pages(path))
        except PictureError:
            continue
        if pages[0].source.format != "DICOM":
            continue
        write_pages(pages, again := tmp_path / "again.dcm")
        assert (values_of(again) == values_of(path)).all(), path
        before, after = raw(read_tags(path)), raw(read_tags(again))
        assert {tag for tag in before if before[tag] != after.get(tag)} <= CHANGED, path
        read += 1
        if read_tags(again).file_meta.TransferSyntaxUID == EXPLICIT:
            data = reader(str(again)).get_numpy_array()
            assert data.size == values_of(again).size, path
            seen += 1
    assert read >= 40
    assert seen >= 30
