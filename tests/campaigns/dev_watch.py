"""`dev watch` in a storm: edits, renames, deletions, rotations, and what is broken for a while.

At the end the command has exactly the last state, and was restarted only when what it gets had
changed; there is no zombie, no other process, and no descriptor more than at the beginning. Also
SIGTERM and SIGKILL at random moments of many lives, after which nothing may be left.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from tests.cli.program import Program, environment
from tests.cli.watched import TABLE, DevWatched, dev_watched, with_template
from tests.shim.watched import PATIENCE, alive, replace, until


class Storm:
    """Changes at random to a project whose command runs with the value of x and a template."""

    def __init__(self, program: Program, run: DevWatched, chance: random.Random) -> None:
        self.program = program
        self.run = run
        self.chance = chance
        self.values = [program.ok("show", "x").text]
        self.current = 0
        self.override: str | None = None
        self.template = "<<x>>\n"
        self.contents = 1
        self.blown = 0
        self.toml = (program.folder / "secretkit.toml").read_text()
        self.local = program.folder / "dev-secrets.local"
        self.conf = program.folder / "conf"
        self.follower = run.follower()
        time.sleep(1)  # its first look
        self.descriptors = self._descriptors()

    @property
    def expected(self) -> str:
        """The variable and the file of a command that has the last state."""
        value = self.override or self.values[self.current]
        return f"{value} {self.template.replace('<<x>>', value).strip()}"

    def blow(self) -> None:
        """One change, and a pause or none."""
        before = self.expected
        kinds = [self.rotate, self.roll_back, self.touch, self.disturb, self.tamper]
        kinds += [self.overrides, self.overrides, self.templates, self.templates, self.broken]
        self.chance.choice(kinds)()
        self.blown += 1
        self.contents += self.expected != before
        if self.chance.random() < 0.3:
            time.sleep(self.chance.random() * 0.4)

    def rotate(self) -> None:
        value = f"v{self.chance.randrange(10**6)}"
        self.program.ok("-q", "rotate", "x", "-", input=value.encode())
        self.values.append(value)
        self.current = len(self.values) - 1

    def roll_back(self) -> None:
        wanted = self.chance.randrange(len(self.values))
        if wanted != self.current:
            self.program.ok("-q", "rollback", "x", "--to", str(wanted + 1))
            self.current = wanted

    def touch(self) -> None:
        """What is there gets another time, or is replaced by the same."""
        for path in (self.conf / "app.conf", self.program.folder / "secretkit.toml"):
            os.utime(path)
            replace(path, path.read_text())

    def disturb(self) -> None:
        """Files that are nobody's, at once, also where editors put theirs."""
        for number in range(50):
            path = self.program.folder / f"noise-{number}"
            path.write_text("x")
            path.unlink()
        (self.conf / ".app.conf.swp").write_text("x")
        (self.conf / ".app.conf.swp").unlink()

    def tamper(self) -> None:
        """A file of the dev folder is not what was put there."""
        path = self.program.folder / "dev-secrets" / "x"
        path.unlink(missing_ok=True)

    def overrides(self) -> None:
        """The folder and the file in it come and go, by several ways."""
        way = self.chance.randrange(4)
        if way == 0 and self.local.exists():
            shutil.rmtree(self.local)
            self.override = None
        elif way == 1 and self.local.exists():
            aside = self.local.with_name("aside")
            self.local.rename(aside)
            time.sleep(self.chance.random() * 0.2)
            aside.rename(self.local)
        else:
            self.local.mkdir(exist_ok=True)
            value = f"o{self.chance.randrange(10**6)}"
            if way == 2:
                (self.local / "x").write_text(value)
            else:
                replace(self.local / "x", value)
            self.override = value

    def templates(self) -> None:
        """Written in place, by a rename, in two steps, in a folder that is made again."""
        way, path = self.chance.randrange(4), self.conf / "app.conf"
        self.template = f"t{self.chance.randrange(10**6)} <<x>>\n"
        if way == 0:
            path.write_text(self.template)
        elif way == 1:
            replace(path, self.template)
        elif way == 2:
            path.rename(path.with_name("app.conf~"))
            path.write_text(self.template)
        else:
            shutil.rmtree(self.conf)
            self.conf.mkdir()
            path.write_text(self.template)

    def broken(self) -> None:
        """The template or secretkit.toml cannot be understood, for a while or until the end."""
        if self.chance.random() < 0.5:
            (self.conf / "app.conf").write_text("<<nowhere>>\n")
        else:
            (self.program.folder / "secretkit.toml").write_text("= [\n")
        time.sleep(self.chance.random() * 0.3)
        self.mend()

    def mend(self) -> None:
        (self.conf / "app.conf").write_text(self.template)
        (self.program.folder / "secretkit.toml").write_text(self.toml)

    def settle(self) -> None:
        """Waits for the last state."""
        self.run.until(lambda: self.run.starts()[-1] == self.expected, self.expected)

    def check(self) -> None:
        """All that is promised."""
        assert self.run.lines("twice") == self.run.lines("dies") == []
        assert len(self.run.starts()) <= self.contents
        *earlier, last = self.run.pids()
        assert alive(last)
        assert not [pid for pid in earlier if alive(pid)]
        assert sorted(self._children()) == sorted([last, self.follower])
        folder = self.program.folder
        value = self.override or self.values[self.current]
        self.run.until(lambda: (folder / "dev-secrets" / "x").read_text() == value)
        assert f"{value} {(folder / 'app.conf').read_text().strip()}" == self.expected
        self.run.until(lambda: self._descriptors() == self.descriptors, "as few descriptors")

    def _children(self) -> list[int]:
        pid = self.run.process.pid
        found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return [int(pid) for pid in found]

    def _descriptors(self) -> list[int]:
        """How many each of the two processes has, as far as we may see that."""
        pids = (self.run.process.pid, self.follower)
        found = [Path(f"/proc/{pid}/fd") for pid in pids]
        return [len(os.listdir(folder)) for folder in found if os.access(folder, os.R_OK)]


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="dev_watch")
    parser.add_argument("--changes", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=6)
    parser.add_argument("--kills", type=int, default=200)
    arguments = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(dir="/dev/shm") as name:
        folder = Path(name)
        (folder / "project").mkdir()
        (folder / "memory").mkdir(mode=0o700)
        program = Program(folder / "project", environment(folder, folder / "memory"))
        program.ok("-q", "init")
        program.create("x", b"one")
        command = with_template(program)
        with dev_watched(program, command=command) as run:
            run.until_started("one one")
            storm = Storm(program, run, random.Random(arguments.seed))
            for _ in range(arguments.changes):
                storm.blow()
            begun = time.monotonic()
            storm.settle()
            settled = time.monotonic() - begun
            storm.check()
            print(
                f"{storm.blown} changes, {storm.contents} contents, {len(run.starts())} starts; "
                f"the last state is there after {settled:.2f} s; no zombie, "
                f"descriptors of shim and follower {storm.descriptors} at both ends"
            )
        return kills(program, random.Random(arguments.seed), arguments.kills)


def kills(program: Program, chance: random.Random, count: int) -> int:
    """SIGTERM or SIGKILL at random moments: no process, no private folder is left."""
    twice = 0
    log = program.folder.parent / "log"
    for number in range(count):
        log.unlink(missing_ok=True)
        with dev_watched(program) as run:
            if number % 2:
                until(run.starts)
                replace(program.folder / "secretkit.toml", f"{TABLE}# {number}\n")
            time.sleep(chance.random() * 0.3)
            run.process.send_signal(chance.choice((signal.SIGTERM, signal.SIGKILL)))
            run.process.wait(PATIENCE)
        twice += len(run.lines("twice"))
    begun = time.monotonic()
    while (left := own(program)) and time.monotonic() - begun < 5:
        time.sleep(0.1)
    folders = list((program.folder.parent / "memory" / "secretkit").glob("run-*"))
    found = f"{len(left)} strays, {twice} doubles, {len(folders)} folders"
    print(f"{count} ends at random moments: {found}")
    return 1 if left or twice or folders else 0


def own(program: Program) -> list[int]:
    """The processes in the project's folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if (process / "cwd").readlink() == program.folder:
                found.append(int(process.name))
    return found


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
