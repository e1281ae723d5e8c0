"""XMP packets: what they say, and changes that leave the rest of a packet as it is."""

import re
from typing import Final
from xml.etree import ElementTree

from .source_type import name_of

RECIPE_NAMESPACE: Final = "urn:diffuse-cli:recipe:1.0/"
IPTC_NAMESPACE: Final = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"


def upright_xmp(xmp: bytes) -> bytes:
    """Return the packet with orientation 1, if it names one.

    Args:
        xmp: the packet.
    """
    return turned_xmp(xmp, 1)


def turned_xmp(xmp: bytes, orientation: int) -> bytes:
    """Return the packet with another orientation, if it names one.

    Args:
        xmp: the packet.
        orientation: 1..8.
    """
    return re.sub(rb"(tiff:Orientation(?:\s*=\s*[\"']|>))[1-8]", rb"\g<1>%d" % orientation, xmp)


_PRIVATE_XMP: Final = re.compile(
    r"\{[^}]*/exif/1\.0/\}(GPS\w+|MakerNote|ImageUniqueID)"
    r"|\{[^}]*/exif/1\.0/aux/\}(SerialNumber|OwnerName|LensSerialNumber|ImageNumber)"
    r"|\{http://cipa\.jp/exif/[^}]*\}(CameraOwnerName|BodySerialNumber|SerialNumber|OwnerName|LensSerialNumber)"
    r"|\{[^}]*/xap/1\.0/\}Thumbnails"
    r"|\{[^}]*/xap/1\.0/mm/\}\w+"  # ids and history of the document
    r"|\{[^}]*/xmp-?[Nn]ote/?\}\w+"
    r"|\{[^}]*metadataworkinggroup[^}]*/regions/\}\w+"  # whose face is where
    r"|\{http://ns\.microsoft\.com/photo/1\.2/\}\w+"
    r"|\{[^}]*/(makernote|xmp/1\.0/DynamicMedia)/?\}\w+"
)
_DEAD_XMP: Final = re.compile(
    r"\{http://ns\.adobe\.com/hdr-gain-map/1\.0/\}\w+"
    r"|\{http://ns\.apple\.com/HDRGainMap/1\.0/\}\w+"
    r"|\{http://ns\.google\.com/photos/1\.0/(container|camera|image|depthmap|dynamicdepth)[^}]*\}\w+"
    r"|\{http://ns\.adobe\.com/xmp/note/\}HasExtendedXMP"
    r"|\{http://purl\.org/dc/terms/\}provenance"
)


def safe(xmp: bytes) -> bytes:
    """Return the packet without place, people, owner, serial numbers, history and thumbnails.

    Args:
        xmp: the packet.
    """
    return _filtered_xmp(xmp, _PRIVATE_XMP)


def without_dead_references(xmp: bytes) -> bytes:
    """Return the packet without references to what results do not have.

    These are gain maps, depth maps, extended XMP, and a manifest elsewhere.

    Args:
        xmp: the packet.
    """
    dead = (b"hdr-gain-map", b"HDRGainMap", b"ns.google.com/photos", b"HasExtendedXMP", b"purl.org/dc/terms/")
    return _filtered_xmp(xmp, _DEAD_XMP) if any(word in xmp for word in dead) else xmp


def _filtered_xmp(xmp: bytes, unwanted: re.Pattern[str]) -> bytes:
    """Return the packet without the properties whose {namespace}name matches; b"" if it cannot be parsed.

    Entities are not expanded: the limits of the parser hold.
    """
    root = _parsed(xmp)
    if root is None:
        return b""
    for parent in list(root.iter()):
        for child in list(parent):
            if unwanted.fullmatch(child.tag):
                parent.remove(child)
        for name in [name for name in parent.attrib if unwanted.fullmatch(name)]:
            del parent.attrib[name]
    body: bytes = ElementTree.tostring(root, encoding="utf-8")
    head = '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'.encode()
    return head + body + b'<?xpacket end="w"?>' if b"<?xpacket" in xmp else body


def _parsed(xmp: bytes) -> ElementTree.Element | None:
    """Return the packet's tree, its prefixes known to the writer; None if there is none, or it declares entities."""
    try:
        text = xmp.decode("utf-8").strip("\ufeff\0 \t\r\n")
        if "<!DOCTYPE" in text or "<!ENTITY" in text:
            return None
        for prefix, uri in re.findall(r"xmlns:([\w.-]+)\s*=\s*[\"']([^\"']+)[\"']", text):
            if not re.fullmatch(r"ns\d+", prefix):
                ElementTree.register_namespace(prefix, uri)
        return ElementTree.fromstring(re.sub(r"<\?xpacket[^>]*\?>", "", text))
    except (ValueError, ElementTree.ParseError):
        return None


_RESOURCE: Final = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}resource"


def values(xmp: bytes, namespace: str, name: str) -> list[str]:
    """Return what a packet says under {namespace}name: as attribute, element, reference, or items of a list.

    Args:
        xmp: the packet.
        namespace: URI.
        name: of the property.
    """
    xmp = _as_utf8(xmp)
    if name.encode() not in xmp:
        return []
    root, wanted, found = _parsed(xmp), f"{{{namespace}}}{name}", []
    for element in () if root is None else root.iter():
        if wanted in element.attrib:
            found.append(element.attrib[wanted])
        if element.tag == wanted:
            texts = [element.attrib.get(_RESOURCE), *(one.text for one in element.iter())]
            found += [text.strip() for text in texts if text is not None and text.strip()]
    return found


def source_types(xmp: bytes) -> list[str]:
    """Return the names of the digital source types that a packet states; usually none or one.

    Args:
        xmp: the packet.
    """
    return [name_of(value) for value in values(xmp, IPTC_NAMESPACE, "DigitalSourceType")]


def has_manifest_elsewhere(xmp: bytes) -> bool:
    """Return whether the packet points to a C2PA manifest on the net (C2PA Technical Specification 2.1, section 11.5).

    Args:
        xmp: the packet.
    """
    return bool(values(xmp, "http://purl.org/dc/terms/", "provenance"))


def without_source_type(xmp: bytes) -> bytes:
    """Return the packet without its digital source type.

    Args:
        xmp: the packet.
    """
    return _filtered_xmp(xmp, _TYPE) if b"DigitalSourceType" in xmp else xmp


MOST_XMP: Final = 65_000
"""Bytes that a JPEG's segment holds."""
_OWN_XMP: Final = re.compile(rf"\{{{re.escape(RECIPE_NAMESPACE)}\}}\w+")
_TYPE: Final = re.compile(rf"\{{{re.escape(IPTC_NAMESPACE)}\}}DigitalSourceType")
_OWN_XMP_AND_TYPE: Final = re.compile(rf"{_OWN_XMP.pattern}|{_TYPE.pattern}")
_RECIPE_ITSELF: Final = re.compile(rb' diffuse:recipe="[^"]*"')


def _as_utf8(xmp: bytes) -> bytes:
    """Return a packet in UTF-16, which XMP allows, as UTF-8; another one as it is."""
    for encoding in ("utf-16-le", "utf-16-be"):
        if xmp.startswith(("<".encode(encoding), "\ufeff".encode(encoding))):
            try:
                return xmp.decode(encoding).removeprefix("\ufeff").encode()
            except UnicodeError:
                return xmp
    return xmp


def with_provenance(xmp: bytes, provenance: bytes) -> bytes:
    """Return the packet with an element that tells how a result was made.

    The element replaces an older one of its kind, which told how the input was made. Where it does not fit into a JPEG,
    only the digital source type is added, or nothing. Nothing is added where the packet has no place for it.

    Args:
        xmp: the packet; b"" = none.
        provenance: an RDF element; b"" = only remove the older one.
    """
    xmp = _as_utf8(xmp)
    typed = b"DigitalSourceType" in provenance
    if RECIPE_NAMESPACE.encode() in xmp or (typed and b"DigitalSourceType" in xmp):
        xmp = _filtered_xmp(xmp, _OWN_XMP_AND_TYPE if typed else _OWN_XMP)
    if not provenance:
        return xmp
    ends = list(re.finditer(rb"</[\w.-]+:RDF\s*>", xmp))
    if ends:
        about = re.search(rb"rdf:about\s*=\s*[\"']([^\"'<>]*)", xmp)
        element = provenance.replace(b'rdf:about=""', b'rdf:about="' + (about[1] if about else b"") + b'"')
        for part in (element, _RECIPE_ITSELF.sub(b"", element)) if typed else (element,):
            joined = xmp[: ends[-1].start()] + part + xmp[ends[-1].start() :]
            if len(joined) <= MOST_XMP or len(xmp) > MOST_XMP:
                return joined
        return xmp
    if xmp.strip():
        return xmp
    rdf = b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">' + provenance + b"</rdf:RDF>"
    head = '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'.encode()
    return head + b'<x:xmpmeta xmlns:x="adobe:ns:meta/">' + rdf + b'</x:xmpmeta><?xpacket end="w"?>'
