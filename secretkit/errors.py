"""One tree of exceptions. A message never carries a secret's value.

Every class that a user can meet has its exit code in one table, `secretkit.cli.exits`.
`str(error)` is one line: what went wrong, and with which name or path. `error.hint`, when there
is one, says what to do next. Data is in attributes, so that a caller need not parse a message.
"""

from __future__ import annotations

import re


class SecretkitError(Exception):
    """The root: catch this to catch everything that secretkit raises on purpose."""

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


# -- what the caller asked for cannot be meant ------------------------------------------------


class UsageError(SecretkitError):
    """The request itself is wrong: options that exclude each other, a missing source."""


class InvalidNameError(UsageError):
    """A name outside Swarm's grammar, too long, or one that looks like an object name."""

    def __init__(self, name: str, reason: str, *, hint: str | None = None) -> None:
        # Anything else may be a value, given by mistake.
        harmless = len(name) <= 64 and re.fullmatch("[a-zA-Z0-9-_.]+", name)
        shown = f" {name!r}" if harmless else ""
        super().__init__(f"invalid secret name{shown}: {reason}", hint=hint)
        self.name = name
        self.reason = reason


class InvalidValueError(UsageError):
    """A value that no engine would take: empty, or more than 511 999 bytes."""

    def __init__(self, name: str, reason: str, *, hint: str | None = None) -> None:
        super().__init__(f"cannot store this value for {name}: {reason}", hint=hint)
        self.name = name
        self.reason = reason


class MockError(UsageError):
    """A mock where it would leave this machine, for an engine or in an image; `what` has it."""

    def __init__(self, what: str, *, hint: str) -> None:
        super().__init__(f"a mock stays on this machine, {what}", hint=hint)
        self.what = what


class InvalidProjectError(UsageError):
    """`secretkit.toml` does not say what it must: names the file and the key."""

    def __init__(self, path: str, reason: str, *, hint: str | None = None) -> None:
        super().__init__(f"{path}: {reason}", hint=hint)
        self.path = path
        self.reason = reason


# -- what the caller asked for is not there ---------------------------------------------------


class NotFoundError(SecretkitError):
    """The root of everything that was looked for and is not there."""


class SecretNotFoundError(NotFoundError):
    """No secret of that name. `suggestion` is the nearest existing name, if one is near."""

    def __init__(self, name: str, *, suggestion: str | None = None) -> None:
        hint = f"did you mean {suggestion}?" if suggestion else "`secretkit ls` lists the secrets"
        super().__init__(f"no such secret, {name}", hint=hint)
        self.name = name
        self.suggestion = suggestion


class VersionNotFoundError(NotFoundError):
    """The secret is there, that version of it is not."""

    def __init__(self, name: str, version: int | str, *, hint: str | None = None) -> None:
        super().__init__(
            f"no such version, {name} {version}",
            hint=hint or f"`secretkit inspect {name}` lists its versions",
        )
        self.name = name
        self.version = version


class UnknownValueError(NotFoundError):
    """The store knows of that version, and not its value: somebody else made it in an engine."""

    def __init__(self, name: str, version: int) -> None:
        super().__init__(
            f"value unknown, {name} v{version} was made by somebody else in the engine",
            hint=f"no engine gives a value back; `secretkit adopt {name} --value FILE` gives that"
            " of the current version",
        )
        self.name = name
        self.version = version


class ConfigNotFoundError(SecretNotFoundError):
    """No config of that name in the engine."""

    def __init__(self, name: str) -> None:
        NotFoundError.__init__(
            self,
            f"no such config, {name}",
            hint=f"`secretkit config create {name} FILE` makes it",
        )
        self.name = name
        self.suggestion = None


class ProjectNotFoundError(NotFoundError):
    """Neither this folder nor one above it is a project; of one that `named` names, itself only."""

    def __init__(self, path: str, *, hint: str | None = None, named: str | None = None) -> None:
        if named:
            hint = f"{named} names the project's own folder; `secretkit init` makes a project"
        super().__init__(
            f"no secretkit project in {path}" + ("" if named else " or above it"),
            hint=hint or "`secretkit init` makes one here; --project DIR names another",
        )
        self.path = path


class StoreNotFoundError(NotFoundError):
    """The folder has no store yet: a fresh clone, or not a project."""

    def __init__(self, folder: str) -> None:
        super().__init__(
            f"there is no store yet in {folder}",
            hint="`secretkit dev up` makes it and what secretkit.toml declares; `secretkit init`"
            " makes an empty one",
        )
        self.folder = folder


# -- it is there, but not free ----------------------------------------------------------------


class ConflictError(SecretkitError):
    """Exists already, is in use, or somebody else is changing it."""


class SecretExistsError(ConflictError):
    """A secret of that name exists."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"secret exists, {name}", hint=f"`secretkit rotate {name}` makes its next version"
        )
        self.name = name


class SecretInUseError(ConflictError):
    """The secret or version is mounted, or is the current one."""


class ProjectExistsError(ConflictError):
    """The folder has a store already."""


class StoreBusyError(ConflictError):
    """Another process held the store's lock for 30 seconds."""


# -- the store --------------------------------------------------------------------------------


class StoreError(SecretkitError):
    """The store cannot be trusted or opened as it is: nothing was read, nothing was changed."""


class StoreKeyError(StoreError):
    """No key, or a key that opens none of the store's slots."""


class StoreTamperedError(StoreError):
    """The files say something that the key holder did not write."""


class StoreRolledBackError(StoreError):
    """The store is older than the anchor kept beside the key, or the anchor is gone."""


class StorePermissionError(StoreError):
    """Files that others can read or write, a symlink, a foreign owner, a network filesystem."""


class StoreIOError(SecretkitError):
    """The disk refused: full, read-only, an I/O error. What was not acknowledged did not happen."""


# -- folders of secret files ------------------------------------------------------------------


class MountError(SecretkitError):
    """A folder of secret files cannot be made, or its place cannot be trusted."""


class NamespaceError(MountError):
    """The kernel does not give this process namespaces of its own, or what they need."""


# -- engines and rotation ---------------------------------------------------------------------


class EngineError(SecretkitError):
    """The engine cannot be reached, refuses, or cannot do what is asked."""


class EngineUnreachableError(EngineError):
    """No manager answers, or the swarm has no leader."""


class EngineRefusedError(EngineError):
    """The engine said no; the message has its reason."""


class ObjectNotFoundError(NotFoundError):
    """No such secret or config object in the engine."""


class ServiceNotFoundError(NotFoundError):
    """No such service in the engine."""


class ObjectExistsError(ConflictError):
    """The engine has an object of that name."""


class ObjectInUseError(ConflictError):
    """A service refers to the object."""


class OutOfSequenceError(ConflictError):
    """Somebody else changed it since it was read: read it again."""


class RotationInProgressError(ConflictError):
    """Another rotation of the same secret holds the journal, and its lease has not run out."""


class PreflightError(ConflictError):
    """Services are in a state in which a rotation would do harm; nothing was touched."""


class HookError(SecretkitError):
    """A hook of secretkit.toml failed or could not be started."""


class RolloutFailedError(SecretkitError):
    """A rollout failed; `report` (a rotation.Report) says what was rolled back."""

    def __init__(self, message: str, report: object, *, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.report = report
