"""`dev up|down|status`, and changes that refresh the folder in the same breath."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from tests.cli.program import EXECUTABLE, Program


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def records(cli: Program) -> Path:
    return Path(cli.environ["XDG_CONFIG_HOME"]) / "secretkit" / "dev"


def states(cli: Program) -> dict[str, str]:
    (folder,) = cli.ok("dev", "status", "--json").json
    return {one["name"]: one["state"] for one in folder["secrets"]}


def test_a_fresh_clone_needs_one_command(bare: Program) -> None:
    """With nothing but secretkit.toml, `dev up` makes store, key, values and folder."""
    bare.write(
        "secretkit.toml",
        '[secrets.db]\ngenerate = "pin:8"\n[secrets.web]\ngenerate = "tls:localhost"\n',
    )
    done = bare.ok("dev", "up")
    assert done.text == 'docker run -v "$PWD/dev-secrets:/run/secrets:ro" ...\n'
    assert sorted(files(bare.folder / "dev-secrets")) == ["db", "web-cert", "web-key"]
    assert done.lines[1:4] == [
        "secretkit: created db v1 from generator pin:8",
        "secretkit: created web-key v1 from generator tls:localhost",
        "secretkit: created web-cert v1 from generator tls:localhost",
    ]
    again = bare.ok("dev", "up", "--json").json
    assert again == {
        "folder": f"{bare.folder}/dev-secrets",
        "place": os.readlink(bare.folder / "dev-secrets"),
        "on_disk": False,
        "layout": "swarm",
        "mock": None,
        "secrets": {"db": 1, "web-key": 1, "web-cert": 1},
        "overrides": [],
        "created": [],
        "docker": 'docker run -v "$PWD/dev-secrets:/run/secrets:ro" ...',
    }


def test_first_commands_at_the_same_moment(bare: Program) -> None:
    """In a fresh clone one makes the store and the secrets, and all of them have the same."""
    for number in range(4):
        clone = bare.folder / f"clone-{number}"
        clone.mkdir()
        (clone / "secretkit.toml").write_text('[secrets.db]\ngenerate = "hex:16"\n')
        running = [
            subprocess.Popen(
                [EXECUTABLE, "-q", "dev", "up", f"d{one}"],
                cwd=clone,
                env=bare.environ,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
            )
            for one in range(4)
        ]
        done = [(one.communicate()[1], one.returncode) for one in running]
        assert all(code == 0 for _, code in done), done
        assert len({(clone / f"d{one}" / "db").read_bytes() for one in range(4)}) == 1


def test_declared_without_a_generator(cli: Program) -> None:
    """What no generator makes must be created first: exit 3, and nothing is made."""
    cli.write("secretkit.toml", '[secrets.a]\ngenerate = "pin"\n[secrets.b]\n[secrets.c]\n')
    done = cli("dev", "up")
    assert done.code == 3
    assert done.lines == [
        "secretkit: error: declared without a generator and not created yet, b, c",
        "hint: `secretkit create b` asks for its value;"
        " `secretkit dev overrides` and `--mock` are for this machine alone",
    ]
    assert cli.ok("ls", "-q").out == b""
    assert not (cli.folder / "dev-secrets").exists()


def test_half_a_pair(cli: Program) -> None:
    """A half that is there is not overwritten, and no half is added that does not fit it."""
    cli.write("secretkit.toml", '[secrets.web]\ngenerate = "tls"\n')
    cli.create("web-key")
    done = cli("dev", "up")
    assert done.code == 3
    assert done.lines == [
        "secretkit: error: half of the pair web is missing, web-cert",
        "hint: remove the other half and both are made anew: secretkit rm web-key",
    ]


def test_in_memory_private_and_readable(cli: Program, memory: Path) -> None:
    """DIR links to a folder on tmpfs: parents 0700, the folder 0755, files 0444, exact bytes."""
    before = os.umask(0o077)
    try:
        cli.create("db", b"\0 x\n")
        cli.ok("dev", "up", "secrets.d")
    finally:
        os.umask(before)
    link = cli.folder / "secrets.d"
    place = Path(os.readlink(link))
    assert memory in place.parents
    for folder, mode in ((place, 0o755), (place.parent, 0o700), (place.parent.parent, 0o700)):
        assert stat.S_IMODE(folder.stat().st_mode) == mode
    assert files(link) == {"db": b"\0 x\n"}
    assert stat.S_IMODE((link / "db").stat().st_mode) == 0o444
    cli.ok("dev", "up", "secrets.d", "--mode", "0400")
    assert stat.S_IMODE((link / "db").stat().st_mode) == 0o400


def test_changes_reach_the_folder_in_the_same_breath(cli: Program) -> None:
    """create, rotate, rollback and rm refresh every folder that is up; an open folder sees it."""
    cli.create("db", b"v1")
    cli.create("api", b"key")
    cli.ok("dev", "up")
    cli.ok("dev", "up", "second")
    held = os.open(cli.folder / "dev-secrets", os.O_RDONLY)  # as a bind mount holds it
    try:
        assert cli.ok("rotate", "db", "-", input=b"v2").lines == [
            f"secretkit: refreshed {cli.folder}/dev-secrets",
            f"secretkit: refreshed {cli.folder}/second",
        ]
        assert files(cli.folder / "dev-secrets") == {"db": b"v2", "api": b"key"}
        assert files(cli.folder / "second") == {"db": b"v2", "api": b"key"}
        cli.ok("rollback", "db")
        cli.ok("rm", "api")
        cli.create("more", b"m")
        assert sorted(os.listdir(held)) == ["db", "more"]
        fd = os.open("db", os.O_RDONLY, dir_fd=held)
        assert os.read(fd, 100) == b"v1"
        os.close(fd)
    finally:
        os.close(held)


def test_status_says_what_differs(cli: Program) -> None:
    """Each file is held against the store; `dev up` repairs what is not foreign."""
    for name in ("same", "gone", "edited", "behind"):
        cli.create(name)
    folder = cli.folder / "dev-secrets"
    cli.ok("dev", "up")
    hidden = records(cli)
    hidden.rename(cli.folder / "aside")
    cli.ok("rotate", "behind", "-", input=b"v2")
    cli.create("new")
    cli.create("removed")
    (cli.folder / "aside").rename(hidden)
    (folder / "gone").unlink()
    (folder / "edited").chmod(0o644)
    (folder / "edited").write_bytes(b"by hand")
    (folder / "mine").write_bytes(b"x")
    expected = {
        "behind": "behind",
        "edited": "changed",
        "gone": "missing",
        "mine": "foreign",
        "new": "missing",
        "removed": "missing",
        "same": "same",
    }
    assert states(cli) == expected
    cli.ok("dev", "up")
    assert states(cli) == dict.fromkeys(expected, "same") | {"mine": "foreign"}
    assert (folder / "edited").read_bytes() == b"v1"
    assert (folder / "mine").read_bytes() == b"x"


def test_status_reads_no_value(cli: Program) -> None:
    """Looking is not reading: the audit log gets no entry."""
    cli.create("db")
    cli.ok("dev", "up")
    before = cli.ok("audit", "--json").json
    cli.ok("dev", "status")
    cli.ok("dev", "up")
    assert cli.ok("audit", "--json").json == before
    assert before[-1]["action"] == "mount"


def test_status_as_text(cli: Program) -> None:
    """A line for the folder, then a table."""
    assert cli.ok("dev", "status").lines == [
        "secretkit: no dev folder is up; `secretkit dev up` makes one"
    ]
    cli.create("db")
    cli.ok("dev", "up")
    assert cli.ok("dev", "status").text == (
        f"{cli.folder}/dev-secrets: up, in memory\n"
        "NAME   FROM    MOUNTED   CURRENT   STATE\n"
        "db     store   v1        v1        same\n"
    )


def test_after_a_reboot(cli: Program, memory: Path) -> None:
    """The link dangles: status says so, changes still work, `dev up` repairs, `down` wipes."""
    cli.create("db")
    cli.ok("dev", "up")
    shutil.rmtree(memory / "secretkit")
    assert cli.ok("dev", "status").text == (
        f"{cli.folder}/dev-secrets: gone, in memory; `secretkit dev up` makes it again\n"
    )
    assert cli.ok("rotate", "db", "-", input=b"v2").text == "db v2\n"
    assert [one["used_by"] for one in cli.ok("inspect", "db", "--json").json["versions"]] == [
        [],
        [],
    ]
    cli.ok("dev", "up")
    assert files(cli.folder / "dev-secrets") == {"db": b"v2"}
    shutil.rmtree(memory / "secretkit")
    cli.ok("dev", "down")
    assert not (cli.folder / "dev-secrets").is_symlink()


def test_the_memory_moved(cli: Program, memory: Path) -> None:
    """Another XDG_RUNTIME_DIR, as in another session: the folder stays as long as it is there."""
    cli.create("db")
    cli.ok("dev", "up")
    link = cli.folder / "dev-secrets"
    before = Path(os.readlink(link))
    inode = before.stat().st_ino
    other = memory / "other"
    other.mkdir(mode=0o700)
    for runtime in (str(other), "", str(cli.folder)):
        done = cli.ok("dev", "up", XDG_RUNTIME_DIR=runtime)
        assert len(done.lines) == 1
        assert Path(os.readlink(link)) == before
        assert (before.stat().st_ino, files(before)) == (inode, {"db": b"v1"})
    link.unlink()
    cli.ok("dev", "up", XDG_RUNTIME_DIR=str(other))
    assert Path(os.readlink(link)) == before
    shutil.rmtree(before.parent)
    cli.ok("dev", "up", XDG_RUNTIME_DIR=str(other))
    assert other in Path(os.readlink(link)).parents


def test_without_a_runtime_folder(cli: Program) -> None:
    """An XDG_RUNTIME_DIR that is not on tmpfs or not private is passed over for /dev/shm."""
    cli.create("db")
    cli.ok("dev", "up", XDG_RUNTIME_DIR=str(cli.folder))
    place = os.readlink(cli.folder / "dev-secrets")
    assert place.startswith(f"/dev/shm/secretkit-{os.getuid()}/")
    cli.ok("dev", "down")
    assert not Path(place).parent.exists()


def test_a_memory_folder_of_somebody_else(cli: Program, memory: Path) -> None:
    """A place that others can enter, or a link, is refused and not used."""
    cli.create("db")
    base = memory / "secretkit"
    base.mkdir(mode=0o755)
    base.chmod(0o755)
    done = cli("dev", "up")
    assert done.code == 1
    assert done.lines[0] == (
        f"secretkit: error: not a private folder, {base}: mode 0755, owner uid {os.getuid()}"
    )
    base.rmdir()
    (memory / "elsewhere").mkdir(mode=0o700)
    base.symlink_to(memory / "elsewhere")
    done = cli("dev", "up")
    assert done.code == 1
    assert done.lines[0] == f"secretkit: error: not a private folder, {base}: a symbolic link"
    assert not (cli.folder / "dev-secrets").is_symlink()


@pytest.mark.parametrize("kind", ["folder", "file", "link"])
@pytest.mark.parametrize("on_disk", [(), ("--on-disk",)])
def test_what_is_not_ours_is_not_touched(cli: Program, kind: str, on_disk: tuple[str, ...]) -> None:
    """Something else at DIR is a conflict, for `up` and for `down`."""
    cli.create("db")
    path = cli.folder / "dev-secrets"
    other = cli.folder / "other"
    other.mkdir()
    {"folder": path.mkdir, "file": path.touch, "link": lambda: path.symlink_to(other)}[kind]()
    if kind == "folder":
        (path / "kept").touch()
    for done in (cli("dev", "up", *on_disk), cli("dev", "down", "dev-secrets")):
        assert done.code == 4
        assert done.lines == [
            f"secretkit: error: not a dev folder of this project, {path} is there already",
            "hint: move it away, or name another folder: secretkit dev up DIR",
        ]
    assert list(other.iterdir()) == []


def test_a_parent_that_is_not_there(cli: Program) -> None:
    """A folder is made, its parents are not."""
    done = cli("dev", "up", "a/b")
    assert done.code == 1
    assert done.lines == [
        f"secretkit: error: no such folder, {cli.folder}/a",
        f"hint: make it first: mkdir -p {cli.folder}/a",
    ]


def test_down_wipes_and_can_be_repeated(cli: Program, memory: Path) -> None:
    """Every file is gone, in memory too; a second call is fine."""
    cli.create("db")
    cli.ok("dev", "up")
    cli.ok("dev", "up", "second")
    assert cli.ok("dev", "down", "second", "--json").json == [f"{cli.folder}/second"]
    assert files(cli.folder / "dev-secrets") == {"db": b"v1"}
    assert cli.ok("dev", "down").lines == [f"secretkit: wiped {cli.folder}/dev-secrets"]
    assert cli.ok("dev", "down").lines == ["secretkit: no dev folder is up"]
    assert cli.ok("dev", "down", "--json").json == []
    assert [path for path in memory.rglob("*") if path.is_file()] == []
    assert [path for path in records(cli).rglob("*") if path.is_file()] == []


def test_on_disk(cli: Program) -> None:
    """A real folder, with a .gitignore, and a warning of what that means; `down` deletes it."""
    cli.create("db")
    done = cli.ok("dev", "up", "--on-disk")
    folder = cli.folder / "dev-secrets"
    assert done.lines[0].startswith(f"secretkit: warning: {folder} holds plaintext on disk: ")
    assert files(folder) == {"db": b"v1", ".gitignore": b"*\n"}
    assert not folder.is_symlink()
    cli.ok("rotate", "db", "-", input=b"v2")
    assert (folder / "db").read_bytes() == b"v2"
    assert states(cli) == {"db": "same"}
    cli.ok("dev", "down")
    assert not folder.exists()


def test_on_disk_with_files_of_the_users(cli: Program) -> None:
    """What secretkit did not write stays, and is said."""
    cli.create("db")
    cli.ok("dev", "up", "--on-disk")
    folder = cli.folder / "dev-secrets"
    (folder / "notes").write_text("mine")
    assert cli.ok("dev", "down").lines[0] == (
        f"secretkit: warning: {folder} stays, with files that secretkit did not write"
    )
    assert sorted(files(folder)) == [".gitignore", "notes"]


def test_from_disk_to_memory_and_back(cli: Program) -> None:
    """The same DIR changes its kind; nothing is left behind on disk."""
    cli.create("db")
    folder = cli.folder / "dev-secrets"
    said = (
        "secretkit: warning: it is another folder now: start containers again that have"
        f" {folder} mounted"
    )
    assert said not in cli.ok("dev", "up", "--on-disk").lines
    assert said in cli.ok("dev", "up").lines
    assert folder.is_symlink()
    assert said not in cli.ok("dev", "up").lines
    assert said in cli.ok("dev", "up", "--on-disk").lines
    assert not folder.is_symlink()
    assert files(folder) == {"db": b"v1", ".gitignore": b"*\n"}


def test_a_copy_of_the_project_has_no_folder(cli: Program) -> None:
    """A copied project does not touch the original's folder."""
    cli.create("db")
    cli.ok("dev", "up")
    copy = cli.folder.parent / "copy"
    shutil.copytree(cli.folder, copy, symlinks=True)
    assert cli.ok("dev", "status", "--json", folder=copy).json == []
    cli.ok("dev", "down", folder=copy)
    assert files(cli.folder / "dev-secrets") == {"db": b"v1"}


def test_the_files_folder(cli: Program) -> None:
    """[dev] folder names DIR, from the project folder whatever the current one."""
    cli.write("secretkit.toml", '[dev]\nfolder = "run"\n')
    cli.create("db")
    below = cli.folder / "below"
    below.mkdir()
    done = cli.ok("dev", "up", folder=below)
    assert done.text == f"docker run -v {cli.folder}/run:/run/secrets:ro ...\n"
    assert files(cli.folder / "run") == {"db": b"v1"}


def test_a_full_memory(cli: Program, memory: Path) -> None:
    """A folder that cannot be written is said, and what is in the store stays right."""
    from tests.needs import need_root

    need_root()
    import subprocess

    small = memory / "small"
    small.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k,mode=0700", "tmpfs", str(small)]
    if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("cannot mount")
    try:
        cli.create("db")
        cli.ok("dev", "up", XDG_RUNTIME_DIR=str(small))
        (cli.folder / "big").write_bytes(b"x" * 200_000)
        done = cli("rotate", "db", "big", XDG_RUNTIME_DIR=str(small))
        assert done.code == 1
        assert done.lines[0].startswith("secretkit: error: the store has changed, a dev folder has")
        assert done.lines[0].endswith(": no space left on device")
        assert done.lines[1].startswith("hint: `secretkit dev up` brings it up to date")
        assert cli.ok("show", "db").out == b"x" * 200_000
        assert (cli.folder / "dev-secrets" / "db").read_bytes() == b"v1"
    finally:
        subprocess.run(["umount", "-l", str(small)], check=True)


def test_records_in_the_project_are_not_read(cli: Program) -> None:
    """Whoever can write to the project alone cannot name a folder to be filled or wiped."""
    cli.create("db")
    cli.ok("dev", "up", "--on-disk")
    hidden = cli.folder / ".secretkit" / "dev"
    assert not hidden.exists()
    shutil.copytree(next(records(cli).iterdir()), hidden)
    victim = cli.folder.parent / "victim"
    victim.mkdir()
    (victim / "db").write_bytes(b"kept")
    shutil.rmtree(records(cli))
    for path in hidden.iterdir():
        path.write_text(path.read_text().replace(str(cli.folder / "dev-secrets"), str(victim)))
    assert cli.ok("dev", "status", "--json").json == []
    assert cli.ok("rotate", "db", "-", input=b"v2").lines == []
    assert cli.ok("dev", "down").lines == ["secretkit: no dev folder is up"]
    assert files(victim) == {"db": b"kept"}


def test_a_parent_that_became_a_link(cli: Program) -> None:
    """A folder on disk whose parent leads elsewhere now is neither filled nor wiped."""
    (cli.folder / "a").mkdir()
    cli.create("db")
    cli.ok("dev", "up", "--on-disk", "a/d")
    (cli.folder / "a").rename(cli.folder / "was")
    victim = cli.folder.parent / "victim"
    (victim / "d").mkdir(parents=True)
    (victim / "d" / "db").write_bytes(b"kept")
    (cli.folder / "a").symlink_to(victim)
    assert cli.ok("rotate", "db", "-", input=b"v2").lines == []
    cli.ok("dev", "down")
    assert files(victim / "d") == {"db": b"kept"}


def test_records_that_others_can_write(cli: Program) -> None:
    """Records open to others are refused."""
    cli.create("db")
    cli.ok("dev", "up")
    records(cli).chmod(0o777)
    done = cli("dev", "down")
    assert done.code == 7
    assert done.lines[0] == f"secretkit: error: {records(cli)} is open to others, mode 0777"
    assert files(cli.folder / "dev-secrets") == {"db": b"v1"}


def test_a_users_files_on_disk_stay(cli: Program) -> None:
    """On disk nothing that secretkit did not write is replaced or deleted; a warning says so."""
    cli.create("db")
    folder = cli.folder / "dev-secrets"
    cli.ok("dev", "up", "--on-disk")
    (folder / "api-key").write_bytes(b"mine")
    (folder / "..note").write_bytes(b"mine")
    (folder / "..data").mkdir()
    (folder / "taken").mkdir()
    leftover = folder / "..secretkit-0123456789abcdef"
    leftover.write_bytes(b"left by a kill")
    warning = (
        f"secretkit: warning: {folder} holds what secretkit did not write, %s: it stays;"
        " move it away, then `secretkit dev up`"
    )
    assert cli.ok("create", "api-key", "-", input=b"v1").lines[-1] == warning % "api-key"
    assert cli.ok("create", "taken", "-", input=b"v1").lines[-1] == warning % "api-key, taken"
    assert cli.ok("rotate", "api-key", "-", input=b"v2").lines[-1] == warning % "api-key, taken"
    assert not leftover.exists()
    (folder / "db").unlink()
    (folder / "db").write_bytes(b"replaced")
    assert cli.ok("dev", "down").lines[0] == (
        f"secretkit: warning: {folder} stays, with files that secretkit did not write"
    )
    found = {path.name: path.is_dir() or path.read_bytes() for path in folder.iterdir()}
    assert found == {
        ".gitignore": b"*\n",
        "..data": True,
        "..note": b"mine",
        "api-key": b"mine",
        "db": b"replaced",
        "taken": True,
    }


def test_a_users_gitignore_stays(cli: Program) -> None:
    """A .gitignore that is there is not overwritten, and not deleted with the folder."""
    cli.create("db")
    cli.ok("dev", "up", "--on-disk")
    folder = cli.folder / "dev-secrets"
    (folder / ".gitignore").write_bytes(b"*\n!kept\n")
    cli.ok("dev", "up", "--on-disk")
    cli.ok("dev", "down")
    assert files(folder) == {".gitignore": b"*\n!kept\n"}


def test_the_memory_became_anothers(cli: Program, memory: Path) -> None:
    """Where another user has taken the place in memory, looking does not abort."""
    from tests.needs import need_root

    need_root()
    cli.create("db")
    cli.ok("dev", "up")
    home = Path(os.readlink(cli.folder / "dev-secrets")).parent
    for path in (home, home.parent):
        os.chown(path, 12345, 12345)
    assert cli.ok("dev", "status").text.startswith(f"{cli.folder}/dev-secrets: gone, in memory")
    text = cli("doctor").text
    assert f"the dev folder is gone, {cli.folder}/dev-secrets" in text
    assert cli.ok("rotate", "db", "-", input=b"v2").lines == []
    cli.ok("dev", "down")
    assert (home / "secrets" / "db").read_bytes() == b"v1"
