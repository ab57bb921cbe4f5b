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
    before = ground.engine.docker("image", "ls", "--all", "--quiet")
    name, out = ground.name(), tmp_path / "out"
    for end in (("-t", name), ("--dockerfile", str(out))):
        done = ground.bake(ground.engine.image, *words, *end, code=2)
        assert done.lines[-2:] == [
            "secretkit: error: a mock stays on this machine, template app.conf",
            "hint: name the secret there instead: <<db-password>>",
        ]
        assert value[:40] not in done.err + done.text
    done = ground.bake(ground.engine.image, *words, "--check", code=1)
    assert "a mock stays on this machine, template app.conf" in done.text + done.err
    assert ground.engine.docker("image", "ls", "--all", "--quiet") == before
    assert not out.exists()
