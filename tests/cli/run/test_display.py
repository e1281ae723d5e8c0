"""Names of any kind on one line."""

from hypothesis import given
from hypothesis import strategies as st

from diffuse_cli.cli.run.display import one_line


@given(st.text(st.characters(), max_size=60))
def test_any_text_becomes_one_line_that_can_be_printed(text: str) -> None:
    shown = one_line(text)
    assert shown.isprintable()
    assert shown == text or not text.isprintable()


def test_what_cannot_be_shown_is_escaped() -> None:
    assert one_line("two\nlines \udcff\x1b[31m é 写真") == "two\\nlines \\udcff\\x1b[31m é 写真"
