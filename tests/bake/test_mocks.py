"""No mock gets into an image: a template that has one is refused before anything is built."""

from __future__ import annotations

from pathlib import Path

import pytest

from secretkit.mocks import Mock, mock_for
from tests.bake.ground import Ground
from tests.bake.test_bake import ground

__all__ = ["ground"]


@pytest.mark.parametrize("kind", ["password", "tls"])
def test_a_template_with_a_mock_is_refused(ground: Ground, kind: str, tmp_path: Path) -> None:
    """By its name, with nothing of what is in it; --check says so too, and no image is left."""
    value = next(iter(mock_for("db", kind, Mock("plain", 0)).values())).decode()
    ground.cli.write("app.conf", f"user: app\npassword: {value}\n")
    words = ("--from-project", "--render", "app.conf:/app/app.conf")
    ground.cli.write("secretkit.toml", "")
    refused(ground, ground.engine.image, words, "template app.conf", value, tmp_path / "out")


def test_one_that_stands_in_the_image_is_refused(ground: Ground, tmp_path: Path) -> None:
    """As one of the project: what an image has in it goes further when it is baked."""
    value = next(iter(mock_for("db", "password", Mock("plain", 0)).values())).decode()
    image = ground.image("COPY app.conf /app/app.conf", **{"app.conf": f"password: {value}\n"})
    words = ("--render", "/app/app.conf:/app/app.conf")
    what = "template /app/app.conf of the image"
    refused(ground, image, words, what, value, tmp_path / "out")


def refused(
    ground: Ground, image: str, words: tuple[str, ...], what: str, value: str, out: Path
) -> None:
    """Nothing is built or written, and nothing of the value is said."""
    before = images(ground)
    name = ground.name()
    for end in (("-t", name), ("--dockerfile", str(out))):
        done = ground.bake(image, *words, *end, code=2)
        assert done.lines[-2:] == [
            f"secretkit: error: a mock stays on this machine, {what}",
            "hint: name the secret there instead: <<db-password>>",
        ]
        assert value[:40] not in done.err + done.text
    done = ground.bake(image, *words, "--check", code=1)
    assert f"a mock stays on this machine, {what}" in done.text + done.err
    assert images(ground) == before
    assert not out.exists()


def images(ground: Ground) -> set[str]:
    """Those of the same second are listed in any order."""
    return set(ground.engine.docker("image", "ls", "--all", "--quiet").split())
