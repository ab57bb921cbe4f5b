"""Prove a whole store: every row, the audit chain, the anchor, the files."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from ..errors import SecretkitError, StoreTamperedError
from ..model import CheckReport, Finding
from . import database, files, slots
from .ledger import Ledger
from .records import SecretRecord, VersionRecord
from .transaction import SECRET, VERSION, Transaction

Progress = Callable[[int, int], None]


def check(ledger: Ledger, progress: Progress | None) -> CheckReport:
    """Everything that can be wrong with the store, as findings; changes nothing."""
    findings: list[Finding] = []
    counts = (0, 0, 0, 0)
    try:
        with ledger.reading() as transaction:
            counts, findings = prove(transaction, progress)
    except SecretkitError as error:
        findings.append(Finding(str(error), error.hint))
    with _collecting(findings):
        files.check_private_folder(ledger.path.parent)
    with _collecting(findings):
        files.check_private_folder(files.keys_folder())
    key = slots.default_key_path(ledger.keys.store_id)
    if key.exists():
        with _collecting(findings):
            files.check_private_file(key.resolve())
    secrets, versions, entries, unknown = counts
    return CheckReport(secrets, versions, entries, tuple(findings), unknown)


def prove(
    transaction: Transaction, progress: Progress | None = None
) -> tuple[tuple[int, int, int, int], list[Finding]]:
    """(secrets, versions, audit entries, unknown values) that are sound, and what is not."""
    findings: list[Finding] = []
    try:
        for problem in transaction.sqlite_problems():
            findings.append(Finding(f"SQLite says: {problem}", "restore a backup"))
        secrets, versions, unknown = _prove_records(transaction, findings, progress)
    except StoreTamperedError as error:
        findings.append(Finding(str(error), error.hint))
        secrets = versions = unknown = 0
    entries = 0
    with _collecting(findings):
        for _ in transaction.events():
            entries += 1
    return (secrets, versions, entries, unknown), findings


def _prove_records(
    transaction: Transaction, findings: list[Finding], progress: Progress | None
) -> tuple[int, int, int]:
    entries = {
        entry.place: entry for kind in (SECRET, VERSION) for entry in transaction.entries(kind)
    }
    done, everything = 0, len(entries)
    secrets = [entry for entry in entries.values() if entry.kind == SECRET]
    proven = unknown = 0
    for entry in secrets:
        done += 1
        del entries[entry.place]
        with _collecting(findings):
            secret = SecretRecord.parse(transaction.open(entry))
            if transaction.index(SECRET, secret.name) != entry.place:
                raise StoreTamperedError(f"{secret.name} stands in another secret's place")
            for number in secret.versions:
                index = transaction.index(VERSION, secret.name, number)
                version = entries.pop(index, None)
                with _collecting(findings, f"{secret.name} v{number}: "):
                    if version is None:
                        raise StoreTamperedError("the version is gone")
                    unknown += not VersionRecord.parse(transaction.open(version)).value
                    proven += 1
                done += 1
                if progress:
                    progress(done, everything)
    if entries:
        findings.append(Finding(f"{len(entries)} versions belong to no secret"))
    strays = transaction.strays()
    if strays:
        findings.append(Finding(f"{strays} rows in the store that it does not know"))
    return len(secrets), proven, unknown


@contextlib.contextmanager
def _collecting(findings: list[Finding], where: str = "") -> Iterator[None]:
    try:
        yield
    except SecretkitError as error:
        findings.append(Finding(where + str(error), error.hint))
    except database.FAILURES as error:
        findings.append(Finding(f"{where}the file is damaged ({type(error).__name__})"))
