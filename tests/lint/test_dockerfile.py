"""Checks of Dockerfiles: what they find, and what they leave alone."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from secretkit.delivery.findings import RULES
from secretkit.delivery.lint.dockerfile import findings_of_dockerfile

SHIM = '"python3", "-ISB", "/opt/secretkit/secretkit-entrypoint"'


def found(text: str, folder: Path = Path("/nowhere")) -> list[tuple[str, int]]:
    """(rule, line) of each finding."""
    return [
        (one.rule, one.place.line) for one in findings_of_dockerfile("Dockerfile", text, folder)
    ]


HITS = [
    ("plaintext-secret", 2, "FROM a\nENV DB_PASSWORD=s3cret"),
    ("plaintext-secret", 2, "FROM a\nENV DB_PASSWORD s3cret and more"),
    ("plaintext-secret", 4, "FROM a\nENV A=1 \\\n # a comment\n    API_TOKEN='a b'"),
    ("plaintext-secret", 2, "FROM a\nARG TOKEN=abc"),
    ("plaintext-secret", 1, "ENV DB_PASSWORD=s3cret"),  # a part of a Dockerfile
    ("plaintext-secret", 2, "FROM a\nENV PASSWORD=${PASSWORD:-changeme}"),
    ("plaintext-secret", 2, "FROM a\nENV DATABASE_URL=postgres://app:s3cret@db/app"),
    ("plaintext-secret", 3, "FROM a\nRUN true && \\\n  curl https://me:s3cret@example.org/x"),
    ("plaintext-secret", 2, "FROM a\nRUN export API_KEY=abcdef && make"),
    ("plaintext-secret", 2, 'FROM a\nCMD ["app", "--password", "s3cret"]'),
    ("plaintext-secret", 2, "FROM a\nHEALTHCHECK CMD app --token=s3cret ping"),
    ("plaintext-secret", 2, "FROM a AS build\nENV NPM_TOKEN=abc\nFROM b\nCOPY --from=build /x /x"),
    ("plaintext-secret", 3, "FROM a\nRUN <<EOF\nexport DB_PASSWORD=abc\nEOF"),
    ("plaintext-secret", 2, "FROM a\nRUN x && echo 'root:s3cret' | chpasswd && y"),
    ("run-secret-path", 2, "FROM a\nENV DB_PASSWORD_FILE=/run/secret/db-password"),
    ("run-secret-path", 3, "FROM a\nRUN x && \\\n cat /run/secret/x > /dev/null"),
    ("secret-build-argument", 2, "FROM a\nARG GITHUB_TOKEN\nRUN make"),
    ("secret-build-argument", 2, "FROM a AS base\nARG GITHUB_TOKEN\nFROM base\nRUN make"),
    ("env-runs-nothing", 2, "FROM a\nENV DB_PASSWORD=$(cat /run/secrets/db-password)"),
    ("env-runs-nothing", 2, "FROM a\nENV DB_PASSWORD=`cat /run/secrets/db-password`"),
    ("secret-file-in-image", 2, "FROM a\nCOPY .env /app/"),
    ("secret-file-in-image", 2, "FROM a\nCOPY --chown=1:1 config.yml certs/server.key /app/"),
    ("secret-file-in-image", 2, 'FROM a\nADD ["id_rsa", "/root/.ssh/"]'),
    ("secret-file-in-image", 2, "FROM a\nCOPY secrets/ /app/secrets/"),
    ("secret-file-in-image", 2, "FROM a\nCOPY password.txt /run/secrets/db-password"),
    ("secret-file-in-image", 3, "FROM a AS b\nFROM c\nCOPY --from=b /root/.netrc /root/"),
    ("secret-not-mounted", 2, "FROM a\nRUN export X=$(cat /run/secrets/x) && make"),
    ("secret-not-mounted", 3, "FROM a\nRUN <<EOF\ncat /run/secrets/x | login\nEOF"),
    ("secret-in-layer", 2, "FROM a\nRUN --mount=type=secret,id=x cat /run/secrets/x > /app/x"),
    ("secret-in-layer", 2, "FROM a\nRUN --mount=type=secret,id=x cp /run/secrets/x /app/x"),
    (
        "secret-in-layer",
        2,
        'FROM a\nRUN --mount=type=secret,id=x sed -i "s/<<x>>/$(cat /run/secrets/x)/g" /app/x.conf',
    ),
    (
        "secret-in-layer",
        2,
        "FROM a\nRUN --mount=type=secret,id=t git config --global "
        'url."https://$(cat /run/secrets/t)@github.com".insteadOf https://github.com',
    ),
    (
        "secret-in-layer",
        3,
        'FROM a\nARG NPM_TOKEN\nRUN echo "//$R/:_authToken=${NPM_TOKEN}" > ~/.npmrc && npm ci',
    ),
    ("plaintext-secret", 2, "FROM a\nRUN curl -u admin:s3cret https://example.org/x"),
    ("secret-in-layer", 2, "FROM a\nRUN secretkit-entrypoint --render a.tmpl:/app/a.conf -- true"),
    ("broken-exec-form", 2, "FROM a\nENTRYPOINT ['secretkit-entrypoint', '--']"),
    ("broken-exec-form", 2, 'FROM a\nCMD ["a", "b",]'),
    ("broken-exec-form", 2, 'FROM a\nCMD ["gunicorn" "-b0.0.0.0:8080"]'),
    ("shim-shell-form", 2, "FROM a\nENTRYPOINT /opt/secretkit/secretkit-entrypoint -- app"),
    ("shim-clears-cmd", 2, f'FROM a\nENTRYPOINT [{SHIM}, "--"]'),
    ("shim-clears-cmd", 2, f'FROM a\nENTRYPOINT [{SHIM}, "--", "docker-entrypoint.sh"]'),
    ("shim-clears-cmd", 4, f'FROM a AS b\nCMD ["x"]\nFROM b\nENTRYPOINT [{SHIM}, "--"]'),
    ("shim-without-dashes", 2, f'FROM a\nENTRYPOINT [{SHIM}, "--env-all"]\nCMD ["app"]'),
    ("shim-user-needs-root", 2, f'FROM a\nUSER app\nENTRYPOINT [{SHIM}, "--user", "x", "--", "a"]'),
    ("shim-not-compiled", 2, f'FROM a\nCOPY shim /opt/secretkit\nENTRYPOINT [{SHIM}, "--", "app"]'),
    ("cmd-shell-form", 3, f'FROM a\nENTRYPOINT [{SHIM}, "--"]\nCMD app --serve'),
    ("secret-in-health-log", 2, "FROM a\nHEALTHCHECK CMD cat /run/secrets/db-password"),
    (
        "healthcheck-without-shim",
        3,
        f'FROM a\nENTRYPOINT [{SHIM}, "--"]\nHEALTHCHECK CMD redis-cli -a $REDIS_PASSWORD ping\n'
        'CMD ["a"]',
    ),
]


@pytest.mark.parametrize(("rule", "line", "text"), HITS)
def test_what_is_wrong_is_found_where_it_stands(rule: str, line: int, text: str) -> None:
    """Each rule names the line; no message repeats what may be a value."""
    findings = findings_of_dockerfile("Dockerfile", text, Path("/nowhere"))
    assert (rule, line) in [(one.rule, one.place.line) for one in findings]
    for one in findings:
        said = f"{one.message} {one.remedy}"
        assert not any(value in said for value in ("s3cret", "abcdef", "changeme"))
        assert "\n" not in said


def test_every_rule_of_dockerfiles_has_a_file_that_breaks_it() -> None:
    """Nothing in the table is dead."""
    names = list(RULES)
    own = names[names.index("plaintext-secret") : names.index("healthcheck-without-shim") + 1]
    assert set(own) - {rule for rule, _, _ in HITS} == {"secret-in-context"}


CLEAN = {
    "an official image": r"""
FROM debian:bookworm-slim
ENV GPG_KEY A035C8C19219BA821ECEA86B64E628F8D684696D
ENV GOSU_VERSION 1.16
RUN set -eux; \
	savedAptMark="$(apt-mark showmanual)"; \
	apt-get update; \
# a comment in between
	wget -O /usr/local/bin/gosu "https://github.com/tianon/gosu/releases/$GOSU_VERSION/gosu"; \
	gpg --batch --keyserver hkps://example.org --recv-keys B42F6819007F00F88E364FD4; \

	rm -rf /var/lib/apt/lists/*
COPY docker-entrypoint.sh /usr/local/bin/
ENTRYPOINT ["docker-entrypoint.sh"]
STOPSIGNAL SIGINT
CMD ["postgres"]
""",
    "switches": """
FROM mariadb
ENV MARIADB_RANDOM_ROOT_PASSWORD=yes MYSQL_ALLOW_EMPTY_PASSWORD=1
ENV POSTGRES_PASSWORD_FILE=/run/secrets/postgres-password
ENV PASSWORD= TOKEN_TTL=3600 PRIVATE_KEY_PATH=/etc/app/key.pem API_KEY_HEADER=X-Api-Key
""",
    "Rails": """
FROM ruby:3.3-slim AS base
FROM base AS build
COPY . .
RUN SECRET_KEY_BASE_DUMMY=1 ./bin/rails assets:precompile
RUN SECRET_KEY_BASE=dummy ./bin/rails assets:precompile
FROM base
COPY --from=build /rails /rails
ENTRYPOINT ["/rails/bin/docker-entrypoint"]
CMD ["./bin/rails", "server"]
""",
    "a mounted secret": """
# syntax=docker/dockerfile:1
FROM node:20 AS build
RUN --mount=type=secret,id=npmrc,target=/root/.npmrc npm ci
RUN --mount=type=secret,id=npmrc cp /run/secrets/npmrc .npmrc && npm ci && rm -f .npmrc
RUN --mount=type=secret,id=ca cp /run/secrets/ca /usr/local/share/ca-certificates/ca.crt
RUN --mount=type=secret,id=token printf 'token=%s' "$(cat /run/secrets/token)" | login
RUN --mount=type=secret,id=token TOKEN=$(cat /run/secrets/token) make
RUN --mount=type=secret,id=token git clone https://x:$(cat /run/secrets/token)@example.org/a /a
FROM node:20-slim
COPY --from=build /app /app
""",
    "a builder's arguments": """
FROM golang AS build
ARG GITHUB_TOKEN
COPY . .
COPY .npmrc .env ./
RUN go build
FROM scratch
COPY --from=build /app /app
ENTRYPOINT ["/app"]
""",
    "examples and certificates": """
FROM a
COPY .env.example .env.sample config.env.dist /app/
COPY ca-certificates.pem fullchain.pem server.crt id_rsa.pub nginx_signing.key /etc/
ADD https://example.org/key.gpg /etc/apt/keyrings/
COPY requirements.txt secrets.py keyboard.c ./
""",
    "a script that is written": """
FROM a
RUN printf '#!/bin/sh\\nexport X=$(cat /run/secrets/x)\\nexec "$@"\\n' > /entrypoint.sh
RUN mkdir -p /run/secrets && ln -s /run/secrets/app.conf /etc/app.conf
COPY <<'EOF' /entrypoint.sh
#!/bin/sh
export X=$(cat /run/secrets/x)
exec "$@"
EOF
ENTRYPOINT ["/entrypoint.sh"]
""",
    "shell forms without the shim": """
FROM a
CMD app --serve
HEALTHCHECK --interval=5s CMD curl -f http://localhost:$PORT/ || exit 1
ENTRYPOINT [ -f /x ] && exec a || exec b
""",
    "an image with the shim": f"""
FROM redis:7
COPY shim /opt/secretkit
RUN [{SHIM}, "--compile"]
ENTRYPOINT [{SHIM}, "--env", "REDIS_PASSWORD=redis", "--", "docker-entrypoint.sh"]
HEALTHCHECK CMD [{SHIM}, "--", "sh", "-c", "redis-cli -a $REDIS_PASSWORD ping"]
CMD ["redis-server"]
""",
    "a shim that says what it starts": f"""
FROM python:3.12
ENV PORT=80
ENTRYPOINT [{SHIM}, "--env-all", "python", "app.py"]
HEALTHCHECK CMD curl -f http://localhost:$PORT
""",
    "exec in a shell form": f"""
FROM a
ENTRYPOINT [{SHIM}, "--"]
CMD cd /app && exec ./run "$MODE"
""",
    "passwords that come when it runs": """
FROM a
CMD ["sh", "-c", "app --password $PASSWORD --url https://$USER:$PASSWORD@example.org"]
RUN echo "user:$PASS" | chpasswd; docker login --password-stdin < x; app --password "$PASSWORD"
LABEL token.url=https://example.org/a@b
""",
    "Windows": """
# escape=`
FROM mcr.microsoft.com/windows
RUN powershell -Command `
    Write-Host C:\\
COPY a.txt C:\\run\\
""",
    "Windows' line ends": "# escape=`\r\nFROM a\r\nRUN x `\r\n  y\r\nENV A=b\u2028ARG TOKEN\r\n",
}


@pytest.mark.parametrize("name", CLEAN)
def test_what_is_right_is_left_alone(name: str) -> None:
    """Idioms of Dockerfiles as people have them raise nothing."""
    assert found(CLEAN[name].lstrip("\n")) == []


def test_an_env_file_is_judged_by_what_is_in_it(tmp_path: Path) -> None:
    """One without secrets may go into an image, one with a secret not."""
    text = "FROM a\nCOPY .env /app/\n"
    (tmp_path / ".env").write_text("PORT=80\nexport DB_PASSWORD=\n")
    assert found(text, tmp_path) == []
    (tmp_path / ".env").write_text("PORT=80\nDB_PASSWORD=abc\n")
    assert found(text, tmp_path) == [("secret-file-in-image", 2)]


def test_a_pem_file_is_judged_by_what_is_in_it(tmp_path: Path) -> None:
    """A certificate is public; a key is not, whatever its name."""
    (tmp_path / "a.pem").write_text("-----BEGIN CERTIFICATE-----\n")
    (tmp_path / "b.pem").write_text("-----BEGIN RSA PRIVATE KEY-----\n")
    assert found("FROM a\nCOPY a.pem /x\n", tmp_path) == []
    assert found("FROM a\nCOPY b.pem /x\n", tmp_path) == [("secret-file-in-image", 2)]


def test_a_package_that_is_called_secrets_is_no_secret(tmp_path: Path) -> None:
    """A folder of sources may have that name."""
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "main.go").touch()
    assert found("FROM a\nCOPY secrets ./secrets\n", tmp_path) == []


WHOLE = "FROM a\nWORKDIR /app\nCOPY . .\n"


def test_a_whole_folder_is_looked_at(tmp_path: Path) -> None:
    """What lies there now is an error; what a project will have there, a warning."""
    assert found(WHOLE, tmp_path) == []
    (tmp_path / "secretkit.toml").touch()
    assert found(WHOLE, tmp_path) == [("secret-in-context", 3)]
    (tmp_path / ".env").write_text("TOKEN=abc")
    (tmp_path / ".secretkit").mkdir()
    rules = [rule for rule, _ in found(WHOLE, tmp_path)]
    assert rules == ["secret-file-in-image", "secret-in-context"]
    (tmp_path / ".dockerignore").write_text(".secretkit\ndev-secrets\n**/.env\n")
    assert found(WHOLE, tmp_path) == []
    (tmp_path / "Dockerfile.dockerignore").write_text("dev-secrets\n.secretkit\n")
    assert found(WHOLE, tmp_path) == [("secret-file-in-image", 3)]
    (tmp_path / "Dockerfile.dockerignore").write_text("dev-secrets\n.secretkit\n**/.env\n")
    assert found(WHOLE, tmp_path) == []
    (tmp_path / "dev-secrets.local").mkdir()
    assert found(WHOLE, tmp_path) == [("secret-file-in-image", 3)]


def test_git_tells_what_lies_on_other_machines(tmp_path: Path) -> None:
    """A checkout has no .env, but .gitignore says that people have one."""
    (tmp_path / ".gitignore").write_text("node_modules\n/.env\n*.pyc\n")
    assert found(WHOLE, tmp_path) == [("secret-in-context", 3)]


def test_the_remedy_of_a_health_check_is_the_line_to_write() -> None:
    """It keeps the flags and has only the options that set the variable."""
    options = '"--render", "a:b", "--env", "PASS=db", "--secrets-dir", "/s", "--"'
    text = (
        f"FROM a\nENTRYPOINT [{SHIM}, {options}]\n"
        'HEALTHCHECK --interval=5s CMD redis-cli -a "$PASS" ping\nCMD ["redis-server"]\n'
    )
    (one,) = findings_of_dockerfile("Dockerfile", text, Path("/nowhere"))
    assert one.remedy == (
        f'HEALTHCHECK --interval=5s CMD [{SHIM}, "--secrets-dir", "/s", "--env", "PASS=db", "--", '
        '"/bin/sh", "-c", "redis-cli -a \\"$PASS\\" ping"]'
    )


@pytest.mark.parametrize("rest", ["--login hunter2", "-a hunter", "-phunter", "x=hunter", "'A b'"])
def test_a_health_check_that_may_hold_a_value_is_not_repeated(rest: str) -> None:
    """COMMAND stands for it."""
    text = (
        f'FROM a\nENTRYPOINT [{SHIM}, "--env", "P=db", "--"]\n'
        f'HEALTHCHECK CMD check $P {rest}\nCMD ["a"]\n'
    )
    (one,) = findings_of_dockerfile("Dockerfile", text, Path("/nowhere"))
    assert one.remedy.endswith('"--env", "P=db", "--", "/bin/sh", "-c", "COMMAND"]')


@pytest.mark.parametrize(
    "unit", ["a", '"', "a.b-c", "a-", "cat /run/secrets/a > ", "\\\n", "--a", "<<A ", "curl -u "]
)
def test_long_lines_take_no_long_time(unit: str) -> None:
    """No pattern looks at a line again and again: 100 kB may be in one."""
    began = time.process_time()
    found(f"FROM a\nRUN --mount=type=secret,id=a {unit * (100_000 // len(unit))}")
    assert time.process_time() - began < 5


@pytest.mark.parametrize(
    "text",
    [
        "FROM a AS s0\n" + "".join(f"FROM s{n} AS s{n + 1}\nRUN x\n" for n in range(999)),
        "FROM a\nENV " + " \\\n".join(f"A{n}_TOKEN=b" for n in range(15_000)),
        "FROM a\nRUN " + " && \\\n".join(["cat /run/secrets/x > y"] * 9_000),
        "FROM a\nRUN <<E\n" + "cat /run/secrets/x\n" * 12_000 + "E\n",
        "FROM a\n" + "RUN <<E\na\n" * 20_000,
    ],
    ids=lambda text: text[7:20],
)
def test_long_files_take_no_long_time(text: str) -> None:
    """Each line is looked at once, whatever it hangs together with."""
    assert 7_000 < len(text) < 1 << 18
    began = time.process_time()
    assert ("unreadable-file", 0) not in found(text)
    assert time.process_time() - began < 5


@pytest.mark.parametrize(
    "text", ["", "# a\n", "\ufffd bad\0", "FROM a\n" * 1001, "FROM a\n" + "#\n" * (1 << 17)]
)
def test_what_is_no_dockerfile_is_told(text: str) -> None:
    """Nothing in it was checked."""
    assert found(text) == [("unreadable-file", 0)]


def test_a_stage_is_built_from_one_above_it() -> None:
    """A name that comes again below means the stage that was above."""
    text = f'FROM a AS b\nENTRYPOINT [{SHIM}, "--"]\nFROM b AS b\nCMD x --serve\n'
    assert ("cmd-shell-form", 4) in found(text)
    assert found("FROM b AS b\nFROM c AS b\nFROM b AS d\nARG X_TOKEN\n") == [
        ("secret-build-argument", 4)
    ]


def test_a_build_argument_that_does_not_stay_in_a_layer() -> None:
    """Its file is gone in the same RUN, or it goes nowhere."""
    for run in (
        "echo $NPM_TOKEN > ~/.npmrc && npm ci && rm ~/.npmrc",
        "NPM_TOKEN=$NPM_TOKEN npm ci > /app/log",
        "echo $VERSION > /app/version",
        "echo $NPM_TOKEN > /dev/stdin",
    ):
        rules = [rule for rule, _ in found(f"FROM a\nARG NPM_TOKEN VERSION\nRUN {run}\n")]
        assert rules == ["secret-build-argument"]
