"""Health checks in Dockerfiles that read what only the shim sets, in whatever way they do."""

from __future__ import annotations

from pathlib import Path

import pytest

from secretkit.delivery.lint.dockerfile import findings_of_dockerfile

SHIM = '"python3", "-ISB", "/opt/secretkit/secretkit-entrypoint"'
RULE = "healthcheck-without-shim"


def rules(health: str, *options: str) -> list[str]:
    """The rules that a health check breaks, beside a shim with these options."""
    words = "".join(f'"{word}", ' for word in options)
    text = f'FROM a\nHEALTHCHECK {health}\nENTRYPOINT [{SHIM}, {words}"--", "app"]\n'
    return [one.rule for one in findings_of_dockerfile("Dockerfile", text, Path("/nowhere"))]


@pytest.mark.parametrize(
    "health",
    [
        "CMD python3 -c \"import os; os.environ['DB_PASSWORD']\"",
        'CMD ["python3", "-c", "import os; os.environ[\'DB_PASSWORD\']"]',
        "CMD PGPASSWORD=$DB_PASSWORD pg_isready",
    ],
)
def test_a_variable_of_the_shim(health: str) -> None:
    """Its name as a word is enough, if the shim sets it."""
    assert RULE in rules(health, "--env", "DB_PASSWORD=db-password")
    assert RULE in rules(health)
    assert RULE not in rules(health, "--env", "OTHER=db-password")


def test_a_variable_of_its_own() -> None:
    """One that the check fills itself is not the shim's."""
    health = "CMD DB_PASSWORD=$(cat /run/secrets/db-password) && check $DB_PASSWORD"
    assert RULE not in rules(health, "--env", "DB_PASSWORD=db-password")


def test_a_check_that_prints_what_it_reads() -> None:
    """Both are told, and no line is shown that would publish the value."""
    shim = f'ENTRYPOINT [{SHIM}, "--env", "LOGIN=db", "--", "app"]'
    text = 'FROM a\nHEALTHCHECK CMD echo "with $LOGIN" {}\n' + shim
    shown = {}
    for end in ("&& true", ">/dev/null 2>&1"):
        found = findings_of_dockerfile("Dockerfile", text.format(end), Path("/nowhere"))
        shown[end] = {one.rule: one.remedy for one in found}
    assert shown["&& true"].keys() == {RULE, "secret-in-health-log"}
    assert "$LOGIN" not in shown["&& true"][RULE]
    assert shown[">/dev/null 2>&1"].keys() == {RULE}
    assert shown[">/dev/null 2>&1"][RULE].startswith("HEALTHCHECK CMD [")
