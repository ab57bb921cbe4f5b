"""What a check found: which rule, where, and what mends it. The rules are one table, RULES."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

Severity = Literal["error", "warning", "note"]


class Rule(NamedTuple):
    """Something that checks look for. Its name is what users see, and what SARIF calls ruleId."""

    severity: Severity
    title: str  # what is wrong, in a few words, for a list of rules
    why: str  # what comes of it, in a sentence


RULES: Mapping[str, Rule] = {
    # Dockerfiles
    "plaintext-secret": Rule(
        "error",
        "a secret in plain text",
        "Everybody who has the file, the image or the service's definition has the secret.",
    ),
    "run-secret-path": Rule(
        "error",
        "/run/secret instead of /run/secrets",
        "Nothing is there, so the program starts without its secret.",
    ),
    "secret-build-argument": Rule(
        "warning",
        "a secret as a build argument",
        "docker history shows it to everybody who has the image.",
    ),
    "env-runs-nothing": Rule(
        "error",
        "a command in ENV or ARG",
        "Docker runs no command there: the program gets the text of the command.",
    ),
    "secret-file-in-image": Rule(
        "error",
        "a file with secrets goes into the image",
        "It stays in a layer, also if a later instruction removes it.",
    ),
    "secret-in-context": Rule(
        "warning",
        "secrets are not in .dockerignore",
        "A build on a machine that has them puts them into the image.",
    ),
    "secret-not-mounted": Rule(
        "error",
        "a secret is read while the image is built",
        "A build has no /run/secrets but those that RUN --mount=type=secret names.",
    ),
    "secret-in-layer": Rule(
        "error",
        "a build writes a secret into the image",
        "The mount is gone after the RUN, but what was written stays in the layer.",
    ),
    "broken-exec-form": Rule(
        "warning",
        "a list that is not JSON",
        "Docker takes it for the shell form, and the shell does not find such a program.",
    ),
    "shim-shell-form": Rule(
        "error",
        "the shim in shell form",
        "A shell is PID 1 and gets the signals, and docker drops CMD.",
    ),
    "shim-clears-cmd": Rule(
        "warning",
        "ENTRYPOINT clears the inherited CMD",
        "The container has nothing to start, or starts it without its arguments.",
    ),
    "shim-without-dashes": Rule(
        "warning",
        "the shim's options have no end",
        "A CMD that begins with a dash becomes an option of the shim.",
    ),
    "shim-not-compiled": Rule(
        "note",
        "the shim is not compiled in the image",
        "Every start compiles it again, which takes 10 ms.",
    ),
    "shim-user-needs-root": Rule(
        "error",
        "--user of the shim without root",
        "Only root can become another user: the container does not start.",
    ),
    "cmd-shell-form": Rule(
        "warning",
        "the shell form behind the shim",
        "A shell may stay in front of the program, and signals end there.",
    ),
    "secret-in-health-log": Rule(
        "error",
        "a health check prints a secret",
        "docker keeps what a check prints, and docker inspect shows it.",
    ),
    "healthcheck-without-shim": Rule(
        "warning",
        "a health check reads what the shim sets",
        "Health checks do not go through ENTRYPOINT, so the variable is not set there.",
    ),
    # Entrypoint scripts
    "sed-secret": Rule(
        "warning",
        "sed fills in a secret",
        "& \\ / and newlines change the value, and a value can make sed run programs.",
    ),
    "missing-exec": Rule(
        "warning",
        "a script starts its program without exec",
        "The shell is process 1 and passes no signals on: stopping takes 10 seconds and a kill.",
    ),
    "missing-secret-unnoticed": Rule(
        "warning",
        "a script goes on without its secret",
        "The program starts with an empty password, and fails later or not at all.",
    ),
    "traced-secret": Rule(
        "error",
        "set -x prints secrets",
        "Everybody who may read the container's log has the secret.",
    ),
    "secret-as-code": Rule(
        "error",
        "a secret is run as code",
        "Who can set the secret can run programs; a blank or a quote in it breaks the start.",
    ),
    "secret-in-arguments": Rule(
        "warning",
        "a secret in a process's arguments",
        "Every user can read them in /proc and with ps, and so can docker top.",
    ),
    "unquoted-secret": Rule(
        "warning",
        "a secret without quotes in a script",
        "The shell splits it at blanks and replaces * by names of files.",
    ),
    "secret-on-disk": Rule(
        "warning",
        "a script writes a secret to a disk",
        "It lies in the container's writable layer, in plain text, also after the container stops.",
    ),
    "remote-script": Rule(
        "warning",
        "a script from the network is run",
        "Whoever controls that host, or the way to it, has every secret of the container.",
    ),
    "not-translated": Rule(
        "warning",
        "a command of a script that [entrypoint] has no key for",
        "What it does is not done any more, unless you do it elsewhere.",
    ),
    "almost-the-same": Rule(
        "note",
        "the table does almost what the script does",
        "Where a secret or the image is of that kind, the program gets something else.",
    ),
    "needless-init": Rule(
        "note",
        "an init in front of the program",
        "The shim becomes the program, which is process 1 and gets the signals.",
    ),
    "unread-script": Rule(
        "warning",
        "a script that cannot be read",
        "It was not checked.",
    ),
    # Stack and compose files
    "env-file-secret": Rule(
        "warning",
        "an env_file with secrets",
        "They are in the service's definition: docker inspect shows them.",
    ),
    "secret-not-given": Rule(
        "error",
        "a path in /run/secrets that the service does not get",
        "Nothing is there, so the program starts without its secret, or not at all.",
    ),
    "name-and-file": Rule(
        "error",
        "NAME and NAME_FILE at once",
        "The entrypoints of the official images refuse to start with both.",
    ),
    "undefined-secret": Rule(
        "error",
        "a secret or config that is not defined",
        "Docker and compose refuse the file.",
    ),
    "unused-secret": Rule(
        "warning",
        "a secret or config that no service uses",
        "A file's is created all the same, and stays when the service that needed it is gone.",
    ),
    "missing-file": Rule(
        "warning",
        "a secret or config whose file is not there",
        "Docker and compose refuse to start the services.",
    ),
    "missing-external": Rule(
        "error",
        "an external secret or config that does not exist",
        "Docker refuses the stack. Only `secretkit stack lint` asks the engine.",
    ),
    "pinned-version": Rule(
        "warning",
        "an external secret with the version in its name",
        "Deploying the file again brings that version back after a rotation.",
    ),
    "same-target": Rule(
        "error",
        "two secrets or configs at one path",
        "Docker refuses the service, or one of the two hides the other.",
    ),
    "wrong-mode": Rule(
        "error",
        "a mode that is not the one meant",
        "Without the leading 0 it is a decimal number, which gives other permissions.",
    ),
    "bind-mounted-secret": Rule(
        "warning",
        "a file with secrets is mounted from the node",
        "Only nodes that have the file can run the service, and no rotation reaches it.",
    ),
    "old-version": Rule(
        "error",
        "a version of the format that has no secrets",
        "`docker stack deploy` refuses the file.",
    ),
    "no-health-check": Rule(
        "warning",
        "a service with secrets has no health check",
        "A rotation takes a task for well as soon as its program runs, whatever it answers.",
    ),
    "failure-action": Rule(
        "warning",
        "an update that fails does not go back",
        "Docker's default is to pause: some tasks have the next version, some the previous one.",
    ),
    "host-port": Rule(
        "warning",
        "start-first with a port of the node",
        "The next task waits for the port that the running one has: the update never ends.",
    ),
    "unreadable-file": Rule(
        "error",
        "a file that cannot be read as what it is",
        "Nothing in it was checked, and docker may refuse it too.",
    ),
    "no-such-rule": Rule(
        "warning",
        "a comment is to silence a rule that does not exist",
        "What it was to silence is told all the same.",
    ),
    # Compose files
    "ignored-by-compose": Rule(
        "warning",
        "owner or mode of a secret, which compose ignores",
        "A container gets the file as it is on the machine; only a swarm sets what is asked for.",
    ),
    # images, before they are baked
    "bake-refused": Rule(
        "error",
        "the image cannot be baked so",
        "bake would end with this error.",
    ),
    "no-python": Rule(
        "error",
        "no Python in the image",
        "The shim is a Python program: it needs 3.6 or later.",
    ),
    "foreign-image": Rule(
        "warning",
        "an image for another machine",
        "Baking runs the image's Python once, which may not be possible here.",
    ),
    "entrypoint-shell-form": Rule(
        "warning",
        "ENTRYPOINT in shell form",
        "A shell may stay in front of the program, and arguments do not reach it.",
    ),
    "onbuild-triggers": Rule(
        "warning",
        "ONBUILD triggers",
        "They run when the image is baked, in a folder that has not what they want.",
    ),
    "entrypoint-script": Rule(
        "note",
        "a shell script starts the program",
        "It stays, behind the shim, and sees the variables that the shim sets.",
    ),
    "script-reads-secrets": Rule(
        "note",
        "the script reads /run/secrets",
        "What it does with secrets, the shim can do in its place.",
    ),
    "script-expands-files": Rule(
        "note",
        "the script reads NAME_FILE variables",
        "The image has a way of its own to take secrets from files.",
    ),
    "root-at-start": Rule(
        "warning",
        "the script needs root",
        "Under another user, or without capabilities, the container does not start.",
    ),
    "rendered-on-disk": Rule(
        "warning",
        "rendered files on the container's disk",
        "Values stay there when the container stops, and a read-only root stops the start.",
    ),
    "privileged-port": Rule(
        "note",
        "a port below 1024 without root",
        "Docker permits it in a network of its own; other engines may not.",
    ),
    "left-to-docker": Rule(
        "note",
        "a secret or config that docker makes itself",
        "It has no versions: a changed content makes the deploy fail.",
    ),
}


class Place(NamedTuple):
    """Where: a file as the user named it, or an image or service; lines and columns from 1."""

    path: str
    line: int = 0  # 0: the whole of it
    column: int = 0

    def __str__(self) -> str:
        parts = [self.path, *(str(number) for number in (self.line, self.column) if number)]
        return ":".join(parts)


class Finding(NamedTuple):
    """One thing that a check found. Neither text ever repeats what may be a value."""

    rule: str  # a key of RULES
    place: Place
    message: str  # what is wrong here: lower case, no final period, one line
    remedy: str  # what to do about it: the line to write, where there is one

    @property
    def severity(self) -> Severity:
        """That of its rule."""
        return RULES[self.rule].severity
