"""Writing rendered files: all are staged beside their destination, then renamed into place.

If one cannot be written, none is changed.
"""

import _signal
import posix

from .errors import ShimError, show
from .mount import read_path

FOLDER = getattr(posix, "O_PATH", posix.O_RDONLY) | posix.O_DIRECTORY | posix.O_CLOEXEC
CREATE = posix.O_WRONLY | posix.O_CREAT | posix.O_EXCL | posix.O_NOFOLLOW | posix.O_CLOEXEC

# What ends a process from outside, but SIGKILL.
ENDING = (
    _signal.SIGHUP,
    _signal.SIGINT,
    _signal.SIGQUIT,
    _signal.SIGTERM,
    _signal.SIGUSR1,
    _signal.SIGUSR2,
    _signal.SIGALRM,
)

MEMORY = (b"tmpfs", b"ramfs")
GIVE = "only root, with the capability CHOWN, can give it to owner %d:%d"
UNMAPPED = (
    "owner %d:%d is not among the ids of this user namespace (/proc/self/uid_map, gid_map; under "
    "`secretkit dev run` yours alone are): take one that is, or leave the owner out"
)
MOUNTED = "it is itself a mount, which cannot be replaced: mount its folder instead"
REFUSED = (b"/proc", b"/sys", b"/dev")
PERMITTED = b"/dev/shm"


class Destination:
    """One file to write: checked when it is made, its folder held open until close()."""

    def __init__(self, path, mode, owner, allow_disk):
        """`path` bytes; `mode` permission bits; `owner` (uid, gid) or None for this process's.

        Raises ShimError if the path is not one to write to.
        """
        self.path = path
        self.mode = mode
        self.owner = owner
        self._staged = self._aside = None
        self._placed = False
        try:
            full = path if path.startswith(b"/") else posix.getcwdb() + b"/" + path
        except OSError:
            raise self._problem(
                "the working folder does not exist any more: write an absolute path"
            ) from None
        parts = [part for part in full.split(b"/") if part not in (b"", b".")]
        if b".." in parts or not parts or path.endswith((b"/", b"/.")):
            raise self._problem("name a file, by a path without `..`")
        self.full = b"/" + b"/".join(parts)
        for root in REFUSED:
            if inside(self.full, root) and not inside(self.full, PERMITTED):
                raise self._problem(f"nothing is written under {show(root)} (but in /dev/shm)")
        self._name = parts.pop()
        self._folder = self._walk(parts)
        try:
            self._check(allow_disk)
        except BaseException:
            self.close()
            raise

    def _walk(self, parts):
        """Opens the folder, one component at a time, following no link."""
        descriptor = posix.open(b"/", FOLDER)
        walked = b""
        for part in parts:
            walked += b"/" + part
            parent = descriptor
            try:
                descriptor = posix.open(part, FOLDER | posix.O_NOFOLLOW, dir_fd=parent)
            except FileNotFoundError:
                raise self._problem(
                    f"the folder {show(walked)} does not exist: create it in the image, or mount a "
                    "tmpfs there",
                    lesson=("memory", self.full),
                ) from None
            except OSError as error:
                try:
                    target = posix.readlink(part, dir_fd=parent)
                except OSError:
                    raise self._problem(f"{show(walked)}: {error.strerror}") from None
                raise self._problem(
                    f"{show(walked)} is a link (to {show(target)}), and links are not followed: "
                    "write the path that it leads to"
                ) from None
            finally:
                posix.close(parent)
        return descriptor

    def _check(self, allow_disk):
        try:
            mode = posix.lstat(self._name, dir_fd=self._folder).st_mode & 0o170000
        except FileNotFoundError:
            mode = None
        if mode == 0o120000:
            raise self._problem("it is a link, and links are not followed: write what it leads to")
        if mode not in (None, 0o100000):
            raise self._problem("it exists and is not a regular file")
        memory = allow_disk or in_memory(posix.fstat(self._folder).st_dev)
        if memory is None:
            raise self._problem(
                "whether it is on a tmpfs cannot be told without /proc/self/mountinfo: mount "
                "/proc, or permit a disk with --allow-disk"
            )
        if not memory:
            raise self._problem(
                "it is not on a tmpfs, so the secret would be on a disk: mount one there "
                "(docker run --tmpfs, or a folder in /dev/shm), or permit it with --allow-disk",
                lesson=("memory", self.full),
            )
        if not posix.access(".", posix.W_OK | posix.X_OK, dir_fd=self._folder):
            raise self._problem(
                f"uid {posix.geteuid()} cannot write to its folder: it is read-only or belongs to "
                "somebody else",
                lesson=("memory", self.full),
            )

    def stage(self, content):
        """Writes `content` beside the destination, with its final owner and mode."""
        self._staged = b".secretkit-" + posix.urandom(8).hex().encode("ascii")
        try:
            # For nobody but its owner until the owner is the right one.
            descriptor = posix.open(self._staged, CREATE, self.mode & 0o600, dir_fd=self._folder)
        except OSError as error:
            self._staged = None
            raise self._problem(error.strerror) from None
        try:
            while content:
                content = content[posix.write(descriptor, content) :]
            if self.owner is not None:
                posix.fchown(descriptor, *self.owner)
            posix.fchmod(descriptor, self.mode)
        except PermissionError:
            raise self._problem(GIVE % self.owner) from None
        except OSError as error:
            from errno import EINVAL

            unmapped = error.errno == EINVAL and self.owner is not None
            raise self._problem(UNMAPPED % self.owner if unmapped else error.strerror) from None
        finally:
            posix.close(descriptor)

    def place(self, keep):
        """Renames the staged file into place; with `keep`, undo() can bring back what was there."""
        folder = self._folder
        try:
            if keep:
                self._keep(self._staged + b"~")
            posix.rename(self._staged, self._name, src_dir_fd=folder, dst_dir_fd=folder)
            self._staged = None
            self._placed = True
        except OSError as error:
            from errno import EBUSY

            if error.errno == EBUSY:
                raise self._problem(MOUNTED) from None
            raise self._problem(error.strerror) from None

    def _keep(self, aside):
        """Gives what is there now a second name; or, without hard links, another name."""
        folder = self._folder
        try:
            posix.link(
                self._name, aside, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False
            )
        except FileNotFoundError:
            return
        except OSError:
            posix.rename(self._name, aside, src_dir_fd=folder, dst_dir_fd=folder)
        self._aside = aside

    def undo(self):
        """Brings back what was there before place()."""
        if self._aside is not None:
            # If both names are still the same file, this leaves both: close() removes the other.
            posix.rename(self._aside, self._name, src_dir_fd=self._folder, dst_dir_fd=self._folder)
        elif self._placed:
            posix.unlink(self._name, dir_fd=self._folder)

    def close(self):
        """Removes what was only staged or kept aside, and lets go of the folder."""
        for name in (self._staged, self._aside):
            if name is not None:
                try:
                    posix.unlink(name, dir_fd=self._folder)
                except OSError:
                    pass  # the error that matters is already on its way
        posix.close(self._folder)

    def _problem(self, reason, **options):
        return ShimError(f"destination {show(self.path)}: {reason}", **options)


def inside(path, folder):
    return path == folder or path.startswith(folder + b"/")


def in_memory(device):
    """Whether a filesystem (its st_dev) is a tmpfs, by proc(5) mountinfo; None without that."""
    wanted = b"%d:%d" % (posix.major(device), posix.minor(device))
    table = mounts()
    for fields in table:
        if fields[2] == wanted:
            return fields[fields.index(b"-", 6) + 1] in MEMORY
    return False if table else None


def mounts():
    """The lines of proc(5) mountinfo as lists of bytes; none if it is not there.

    36 35 98:0 /root /mountpoint options [tag…] - type source options
    """
    try:
        table = read_path(b"/proc/self/mountinfo", "mounts")
    except ShimError:
        return []
    return [line.split(b" ") for line in table.splitlines()]


def write(files):
    """Writes all of `files`, pairs of Destination and content (bytes), or none of them.

    A signal that ends the process waits until no staged file can be left behind.
    """
    mask = _signal.pthread_sigmask(_signal.SIG_BLOCK, ENDING)
    try:
        write_all(files)
    finally:
        _signal.pthread_sigmask(_signal.SIG_SETMASK, mask)


def write_all(files):
    staged = []
    try:
        for destination, content in files:
            destination.stage(content)
        try:
            for destination, _ in files:
                staged.append(destination)
                # One rename is atomic; only several need a way back.
                destination.place(keep=len(files) > 1)
        except BaseException:
            for destination in reversed(staged):
                destination.undo()
            raise
    finally:
        for destination, _ in files:
            destination.close()
