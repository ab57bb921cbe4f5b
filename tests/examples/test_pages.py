"""What the examples say in more than one place is the same everywhere."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest
import yaml

from .conftest import EXAMPLES

PROGRAMS = ("legacy-env", "legacy-config", "redis", "java-keystore", "nginx")
PROGRAMS += ("mariadb", "postgres-client", "php-config")


@pytest.mark.parametrize(
    "page", sorted(EXAMPLES.rglob("README.md")), ids=lambda page: page.parent.name
)
def test_links_lead_somewhere(page: Path) -> None:
    """Every link of a page is relative and its file exists."""
    links = re.findall(r"\]\(([^)]+)\)", page.read_text())
    assert links
    assert [link for link in links if not (page.parent / link).is_file()] == []


@pytest.mark.parametrize("name", PROGRAMS)
def test_image_and_workstation_do_the_same(name: str) -> None:
    """The ENTRYPOINT of the image has the options that secretkit.toml gives on a workstation."""
    table = tomllib.loads((EXAMPLES / name / "secretkit.toml").read_text())["entrypoint"]
    wanted = [word for pair in table.get("env", {}).items() for word in ("--env", "=".join(pair))]
    for entry in table.get("render", []):
        text = "{source}:{destination},format={format}".format(**entry)
        wanted += ["--render", text]
    for entry in table.get("keystore", []):
        settings = ",".join("=".join(pair) for pair in entry.items() if pair[0] != "destination")
        wanted += ["--keystore", f"{entry['destination']},{settings}"]
    dockerfile = (EXAMPLES / name / "Dockerfile").read_text().replace("\\\n", "")
    (entrypoint,) = re.findall(r"^ENTRYPOINT (.*)$", dockerfile, re.MULTILINE)
    launcher, *options, end = json.loads(entrypoint)[2:]
    assert (launcher, end) == ("/opt/secretkit/secretkit-entrypoint", "--")
    assert [re.sub("^/(app|etc/redis)/", "", option) for option in options] == wanted


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_swarm_file_names_the_secrets(name: str) -> None:
    """The secrets of the page's stack file are those that secretkit.toml declares."""
    page = (EXAMPLES / name / "README.md").read_text()
    (stack,) = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    document = yaml.safe_load(stack)
    table = tomllib.loads((EXAMPLES / name / "secretkit.toml").read_text())["secrets"]
    declared = set()
    for secret, entry in table.items():
        pair = entry.get("generate", "").startswith("tls:")
        declared |= {f"{secret}-key", f"{secret}-cert"} if pair else {secret}
    (service,) = document["services"].values()
    assert set(service["secrets"]) == set(document["secrets"]) == declared
