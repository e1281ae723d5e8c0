"""Files that state where they come from, in XMP or in content credentials."""

import io
import struct
import zlib

import numpy as np
from PIL import Image

from diffuse_cli.images.xmp import IPTC_NAMESPACE

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
