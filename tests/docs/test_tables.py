"""The tables of the README, docs/ and the model card are what the commands measured."""

import re
from pathlib import Path

import pytest

from benchmarks.tables import BLOCK, PAGES, TABLES, filled


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_tables_match_their_files(page: Path) -> None:
    text = page.read_text()
    assert BLOCK.search(text)
    assert filled(text) == text


def test_a_changed_figure_is_noticed() -> None:
    text = PAGES[0].read_text()
    name = BLOCK.search(text)
    assert name is not None
    figure = re.search(r"\d\d\.\d\d", name[0])
    assert figure is not None
    tampered = text[: name.start()] + name[0].replace(figure[0], "99.99") + text[name.end() :]
    assert filled(tampered) == text


def test_every_table_is_used() -> None:
    used = {match[2] for page in PAGES for match in BLOCK.finditer(page.read_text())}
    assert used == set(TABLES)
