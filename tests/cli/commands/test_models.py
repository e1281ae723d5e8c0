"""diffuse models."""

from tests.helpers.program import Program


def test_models_list_info_verify(run: Program) -> None:
    listed = [line.split("\t")[0] for line in run("models", "list").stdout.splitlines()]
    assert listed == ["fashion", "photo"]
    assert "sha256: " in run("models", "info").stdout
    assert run("models", "verify", "photo").exit_code == 0
