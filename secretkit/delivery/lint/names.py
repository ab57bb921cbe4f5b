"""What looks like a secret: names of variables, values beside them, credentials in a text. Pure.

A linter that cries wolf is switched off: what is not certain is not called a secret.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

# What a name ends in, word by word: POSTGRES_PASSWORD, apiKey, github-token.
_LAST = {
    "password", "passwd", "passphrase", "pass", "pwd", "pw",
    "secret", "token", "apikey", "credential", "credentials",
    "requirepass", "masterauth",  # of Redis
}  # fmt: skip
# The same in one word, DBPASS. Others that end so are mostly something else: compass, sshpass=1.1
_GLUED = re.compile(
    r"(?:db|database|sql|my|mysql|maria|pg|postgres|redis|mongo|ldap|smtp"
    r"|mail|imap|ftp|sftp|http|proxy|web|app|api|user|usr|root|admin|login|auth|key|store"
    r"|keystore|truststore|vault|mq|rabbit|amqp)(?:pass|passwd|password|pwd|pw)"
)
_BEFORE_KEY = {
    "api", "private", "secret", "signing", "encryption", "master", "auth", "jwt", "session",
    "account", "app", "cookie", "hmac", "deploy", "ssh", "enc", "fernet",
}  # fmt: skip
_HARMLESS = {"public", "publishable", "pub"}
# Switches such as MYSQL_RANDOM_ROOT_PASSWORD=yes, and what says that it stands for nothing.
_NOTHING = re.compile(
    r"true|false|yes|no|on|off|[01]|none|null|undefined|(dummy|fake|placeholder|unused)\b.*",
    re.IGNORECASE,
)
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")
TYPO = re.compile(r"/run/secret(?![\w.-])")  # for /run/secrets
_PATH = re.compile(r"(?:file:/)?(?:\.{0,2}|~|[A-Za-z]:)(?:/[\w.@+-]+)+/?")
_PLACEHOLDER = re.compile(r"<.*>|\{\{.*\}\}|\[.*\]|\*+|\.{3,}|-|%\w|@\w+@", re.DOTALL)
_VARIABLE = re.compile(r"\$(?:\w+|\{\w+(?::?([-+?=])([^{}]*))?\}|\(|$)", re.DOTALL)
_NAMED = r"(?P<name>[A-Za-z_][\w.-]*)"
_VALUE = r"""(?P<quote>["']?)(?P<value>[^\s"'|&;<>()]+)(?P=quote)"""
_ASSIGNED = re.compile(rf"(?<![\w.$-]){_NAMED}={_VALUE}")
_OPTION = re.compile(rf"(?<!\S)--{_NAMED}(?:\s+|=){_VALUE}")
_HEADER = re.compile(
    r"(?<![\w-])(?:Authorization:\s*(?:Bearer|Basic|token)|(?:\w+-)+(?:Token|Key):)\s+(?P<value>[^\s\"']+)",
    re.IGNORECASE,
)
_LOGIN = re.compile(r"""["'\s][\w.-]+:(?P<value>[^\s"'|]+)["']?\s*\|\s*(?:sudo\s+)?chpasswd\b""")
# Of curl alone: elsewhere -u is a user and a group.
_USER = re.compile(
    r"""\bcurl\b[^;&|\n]{0,400}?\s(?:-[a-zA-Z]{0,9}u|--user)[\s=]*["']?[\w.@+-]*:"""
    r"""(?P<value>[^\s"'|&;<>()]+)"""
)
# Programs whose short option is a password; that of mysql has no blank before its value.
_SHORT = re.compile(
    r"""\b(?:(?:mysql|mariadb)[\w-]*\b[^;&|\n]{0,200}?\s-p"""
    r"""|(?:redis-cli\b[^;&|\n]{0,200}?\s-a|(?:docker|podman)\s+login\b[^;&|\n]{0,200}?\s-p"""
    r"""|sshpass\s+-p)\s*)["']?(?P<value>[^\s"'|&;<>()]+)"""
)
# Other programs with a place of their own for one. changeit is that of Java's own certificates.
_OTHERS = re.compile(
    r"""(?:\bhtpasswd\s+(?:-\S+\s+)*?-\w*b\w*\s+(?:-\S+\s+)*(?:[^\s;&|]+\s+){1,2}"""
    r"""|/[\w-]*password(?:_again)?\s+password\s+"""  # debconf-set-selections
    r"""|\s-(?:\w+store|store|key|new)pass\s+(?!changeit\b)"""  # keytool
    r"""|\s-pass(?:in|out)?\s+pass:)["']?(?P<value>[^\s"'|&;<>()]+)"""  # openssl
)
# Tokens that say themselves what they are.
_TOKEN = re.compile(
    r"(?<![\w-])(?P<value>gh[oprsu]_[A-Za-z0-9]{36}|github_pat_\w{22}|glpat-[\w-]{20}"
    r"|npm_[A-Za-z0-9]{36}|pypi-AgE[\w-]{8}|xox[abeprs]-[\w-]{10}|[rs]k_live_\w{16}"
    r"|sk-(?:ant|or|proj)-[\w-]{20}|hooks\.slack\.com/services/T\w+/B\w+/\w+"
    r"|-----BEGIN (?:[A-Z]+ ){0,2}PRIVATE KEY)"
)
_URL = re.compile(
    r"(?<![a-z0-9+.-])[a-z][a-z0-9+.-]*://[^\s/:@\"'$<>{}]*:(?P<value>[^\s/@\"'<>{}]+)@",
    re.IGNORECASE,
)


def is_secret(name: str) -> bool:
    """Whether what has this name is a secret, and no path, length or identifier of one."""
    words = [word.lower() for word in _WORD.findall(name)]
    while words and words[-1].isdigit():
        words.pop()
    if words[-3:] == ["secret", "key", "base"]:  # of Rails
        words.pop()
    if not words or _HARMLESS & set(words) or words in (["pwd"], ["oldpwd"], ["pass"]):
        return False
    if words[-2:] in (["access", "key"], ["erlang", "cookie"]):  # AWS_ACCESS_KEY is half a name
        return words[-1] == "cookie" or "secret" in words
    return bool(words[-1] in _LAST or _GLUED.fullmatch(words[-1])) or (
        words[-1] == "key" and bool(_BEFORE_KEY & set(words[-2:-1]))
    )


def is_plain(value: str) -> bool:
    """Whether the value of such a name stands there for all to read.

    Not if a variable is put in for it, unless that has a default (`${X:-plain}`); nor a path, a
    switch, or a placeholder.
    """
    value = value.strip()
    if any(is_plain(found[2]) for found in _VARIABLE.finditer(value) if found[1] in ("-", "=")):
        return True
    fixed = (_PATH, _PLACEHOLDER, _NOTHING)
    return (
        bool(value) and not _VARIABLE.search(value) and not any(p.fullmatch(value) for p in fixed)
    )


def credentials(text: str) -> Iterator[int]:
    """Where credentials stand in a command or an address: `--password=…`, `://user:…@host`."""
    for pattern in (_ASSIGNED, _OPTION):
        for found in pattern.finditer(text):
            if is_secret(found["name"]) and is_plain(found["value"]):
                yield found.start()
    for pattern in (_URL, _LOGIN, _HEADER, _USER, _SHORT, _OTHERS, _TOKEN):
        for found in pattern.finditer(text):
            if is_plain(found["value"]):
                yield found.start()
