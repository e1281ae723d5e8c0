"""Links and pictures of every page lead somewhere; what the pages say of the code is so."""

import re
from pathlib import Path

import pytest

import diffuse_cli
from diffuse_cli.version import __version__
from examples.architecture_figure import WAY, figure, lanes
from tests.conftest import EXAMPLES, ROOT
from tests.docs.pages import CARD, DOCS, README

PAGES = [*ROOT.glob("*.md"), *DOCS, CARD, *EXAMPLES.rglob("*.md"), *(ROOT / ".github").rglob("*.md")]
PACKAGE = Path(diffuse_cli.__file__).parent
ROOMS = [path.parent for path in sorted(PACKAGE.glob("*/__init__.py"))]


def anchors(page: Path) -> set[str]:
    """Of a page's headings, as they are made for links."""
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    heads = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if "://" in target:
            continue
        name, _, anchor = target.partition("#")
        there = (page.parent / name).resolve() if name else page
        assert there.exists(), target
        assert not anchor or anchor in anchors(there), target


def test_every_page_of_docs_is_linked_from_the_readme() -> None:
    linked = set(re.findall(r"\]\((docs/[\w-]+\.md)", README.read_text()))
    assert {f"docs/{page.name}" for page in DOCS} <= linked


def test_no_psnr_is_typed_by_hand() -> None:
    for page in (README, CARD, *DOCS):
        text = re.sub(r"<!-- figures: .*?<!-- end of figures -->", "", page.read_text(), flags=re.DOTALL)
        assert not re.search(r"\d\d\.\d+ dB", text), page


def test_the_architecture_names_every_room() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text()
    folders = [path.parent for path in PACKAGE.rglob("__init__.py") if path.parent != PACKAGE]
    assert [folder.name for folder in folders if f"{folder.name}/" not in text] == []
    assert sorted(room.name for room in ROOMS) == sorted({name for lane in lanes() for name in lane} - FILES)


FILES = {"api", "errors", "version"}


def test_the_figure_of_the_rooms_is_that_of_the_contracts() -> None:
    assert (EXAMPLES / "architecture.svg").read_text() == figure()
    assert {room for room, *_ in WAY} <= {room.name for room in ROOMS}


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.name)
def test_a_room_tells_where_to_start_reading(room: Path) -> None:
    text = (room / "__init__.py").read_text()
    assert re.search(r"May import", text)
    start = text[text.index("Start with") :]
    named = re.findall(r"`([\w/]+\.py)`", start)
    assert named
    assert all((room / name).exists() for name in named)


def test_the_version_is_the_same_everywhere() -> None:
    assert f"\nversion: {__version__}\n" in (ROOT / "CITATION.cff").read_text()
    heads = re.findall(r"^## (.*)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert heads[0] == "Unreleased"
    assert re.fullmatch(rf"{re.escape(__version__)} - \d{{4}}-\d\d-\d\d", heads[1])
