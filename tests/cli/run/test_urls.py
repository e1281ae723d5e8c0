"""Pictures in a store: S3 as moto serves it on loopback, and what the command line does with its URLs."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.program import Program, json_lines

pytest.importorskip("s3fs", reason="needs the extra [s3]")
pytest.importorskip("moto.server", reason="needs moto's server")

Store = Any
"""boto3 has no types."""
KEYS = {
    "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1",
}  # fmt: skip


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    from moto.server import ThreadedMotoServer

    running = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    yield f"http://{host}:{port}"
    running.stop()


@pytest.fixture
def bucket(server: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Store:
    """A bucket of the test's own, with three pictures, and the settings by which s3fs finds it."""
    import boto3

    for name, value in {**KEYS, "AWS_ENDPOINT_URL": server}.items():
        monkeypatch.setenv(name, value)
    found = boto3.resource("s3").create_bucket(Bucket=f"b{abs(hash(request.node.name)) % 10**9}")
    data = request.getfixturevalue("cat").read_bytes()
    for key in ("in/a.png", "in/b.png", "in/sub/c.png", "in/notes.txt"):
        found.put_object(Key=key, Body=data)
    return found


def keys(bucket: Store, below: str) -> list[str]:
    return [one.key for one in bucket.objects.filter(Prefix=below)]


@pytest.fixture
def line(toy_file: Path, bucket: Store) -> list[str]:
    place = f"s3://{bucket.name}"
    where = ["denoise", f"{place}/in", "-r", "-o", f"{place}/out"]
    return [*where, "--noise", "20", "--model", str(toy_file), "--dtype", "fp32"]


def test_a_round_trip_has_the_same_bytes_as_on_a_disk(
    run: Program, bucket: Store, line: list[str], cat: Path, tmp_path: Path
) -> None:
    ended = run(*line, "--json")
    assert ended.exit_code == 0
    assert keys(bucket, "out") == ["out/a.png", "out/b.png", "out/sub/c.png"]
    told = json_lines(ended.stdout)
    assert f"s3://{bucket.name}/out/a.png" in {one.get("output") for one in told}
    assert run("denoise", cat, "-o", "local.png", *line[5:]).exit_code == 0
    body = bucket.Object("out/sub/c.png").get()["Body"].read()
    assert body == (tmp_path / "local.png").read_bytes()


def test_nothing_in_a_store_is_overwritten_and_resume_knows_it(run: Program, bucket: Store, line: list[str]) -> None:
    bucket.put_object(Key="out/a.png", Body=b"precious")
    ended = run(*line)
    assert ended.exit_code == 2
    assert f"s3://{bucket.name}/out/a.png: exists" in ended.stderr
    assert run(*line, "--on-exists", "skip").exit_code == 0
    assert bucket.Object("out/a.png").get()["Body"].read() == b"precious"
    bucket.Object("out/a.png").delete()
    told = json_lines(run(*line, "--resume", "--json").stdout)
    assert sorted(one["status"] for one in told[:-1]) == ["done", "skipped", "skipped"]
    source = f"s3://{bucket.name}/in/a.png"
    assert "is an input" in run("denoise", source, "-o", source).stderr


def test_what_is_missing_is_one_line(run: Program, bucket: Store, line: list[str], cat: Path) -> None:
    for arguments, said in (
        (["denoise", f"s3://{bucket.name}/none.png"], "no such file"),
        (["denoise", f"s3://{bucket.name}/none/*.png"], "no picture matches"),
        (["denoise", "in.png", "-o", "s3://no-such-bucket/x.png", *line[5:]], "s3://no-such-bucket/x.png"),
        (
            ["denoise", f"s3://{bucket.name}/in", "-o", "o/", "--journal", f"s3://{bucket.name}/j"],
            "--journal on a disk",
        ),
    ):
        ended = run(*arguments)
        assert ended.exit_code in (1, 2), arguments
        assert said in ended.stderr.splitlines()[-1]


def test_masks_lists_comparisons_and_globs(
    run: Program, bucket: Store, line: list[str], cat: Path, tmp_path: Path
) -> None:
    from PIL import Image

    place = f"s3://{bucket.name}"
    mask = Image.new("L", (96, 64))
    mask.paste(255, (10, 10, 20, 20))
    mask.save(tmp_path / "m.png")
    bucket.put_object(Key="masks/a.png", Body=(tmp_path / "m.png").read_bytes())
    bucket.put_object(Key="list.txt", Body=f"{place}/in/a.png\n".encode())
    ended = run(
        "inpaint", "--files-from", f"{place}/list.txt", "--mask", f"{place}/masks/", "-o", f"{place}/filled/",
        "--compare", f"{place}/seen/", "--report", f"{place}/r.html", "--save-mask", f"{place}/saved/", *line[7:],
    )  # fmt: skip
    assert ended.exit_code == 0, ended.stderr
    name = f"{bucket.name}/in/a.png"
    assert keys(bucket, "filled") == [f"filled/{name}"]
    assert keys(bucket, "seen") == [f"seen/{name}"]
    assert keys(bucket, "saved") == [f"saved/{name}"]
    assert keys(bucket, "r.html") == ["r.html"]
    ended = run("denoise", f"{place}/in/[ab].png", "-o", "here/{stem}{ext}", *line[5:])
    assert sorted(path.name for path in (tmp_path / "here").iterdir()) == ["a.png", "b.png"]
