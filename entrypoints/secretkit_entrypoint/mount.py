"""Reading secret files: regular files inside the mount, at most 1 MiB each."""

import posix

from .errors import ShimError, did_you_mean, show

LIMIT = 1 << 20  # bytes
SMALL = 256

GRAMMAR = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_."

# Kubernetes mounts the token of a pod's service account at /var/run/secrets/kubernetes.io.
SERVICE_ACCOUNT = b"kubernetes.io"

# O_NONBLOCK: opening a FIFO must not wait for its writer.
FLAGS = posix.O_RDONLY | posix.O_NONBLOCK | posix.O_CLOEXEC
DIRECT = FLAGS | posix.O_NOFOLLOW


def without_newline(content):
    """The value in a file: exactly one trailing `\\n` or `\\r\\n` is dropped, nothing else."""
    if content.endswith(b"\n"):
        return content[:-2] if content.endswith(b"\r\n") else content[:-1]
    return content


class Mount:
    """A folder of secret files. Each file is read once, so every use sees the same content."""

    def __init__(self, folder):
        self.folder = folder
        self._names = None
        self._files = []
        self._contents = {}
        self._parts = {}
        self._asked = set()
        self._real = None

    def file(self, name):
        """The name of the file that is read for a secret, or for a reference into one.

        A reference has a `#` or a `|`; where a file has exactly that name, it is that file.
        """
        if (b"#" in name or b"|" in name) and name not in self.listed():
            from .references import secret

            return secret(name)
        return name

    def path(self, name):
        return self.folder + b"/" + self.file(name)

    def names(self):
        """The names (bytes) of all entries, sorted; raises ShimError if there is no folder.

        Names that start with a dot are no secrets: `..data` is how a Kubernetes mount swaps
        versions, and no engine allows such a name. Neither is the folder of SERVICE_ACCOUNT.
        """
        if self._names is None:
            names = []
            try:
                for entry in posix.scandir(self.folder):
                    name = entry.name
                    if name[:1] != b"." and not (name == SERVICE_ACCOUNT and entry.is_dir()):
                        names.append(name)
                        if entry.is_file(follow_symlinks=False):
                            self._files.append(name)
            except OSError as error:
                raise ShimError(
                    f"cannot list the secrets in {show(self.folder)}: {error.strerror}; give the "
                    "container its secrets there, name another folder with --secrets-dir, or use "
                    "--no-env",
                    lesson=("folder",),
                ) from None
            self._names = sorted(names)
        return self._names

    def contents(self):
        """What has been read so far: a dict of names and contents (bytes).

        In place of a secret into which references lead are the values that these stand for.
        """
        parts = {self.file(reference) for reference in self._parts}
        whole = {name: self._contents[name] for name in self._contents if name not in parts}
        return {**whole, **self._parts}

    def asked(self):
        """The sorted names of the files that were asked for, as far as they can be names."""
        names = sorted({self.file(name) for name in self._asked})
        return [name for name in names if len(name) <= 64 and not name.translate(None, GRAMMAR)]

    def unused(self):
        """The names of the secrets that nobody has asked for yet."""
        return [n for n in self.listed() if n not in self._contents and n not in self._asked]

    def listed(self):
        """The names as in names(), or none where there is no folder."""
        try:
            return self.names()
        except ShimError:
            return []

    def has(self, name):
        """Whether there is an entry of that name, readable or not."""
        return exists(self.path(name))

    def read(self, name):
        """The raw content of a secret's file, or the value that a reference stands for.

        Raises ShimError, whose lines hold no content.
        """
        content = self._contents.get(name)
        if content is None:
            self._asked.add(name)
            if self.file(name) != name:
                from .references import resolve

                content = self._parts[name] = resolve(self.read, name)
                return content
            if b"/" in name or name[:2] == b".." or name in (b"", b"."):
                raise self._no_name()
            path = self.folder + b"/" + name
            try:
                descriptor = posix.open(path, DIRECT)
            except OSError as error:
                if link_target(path) is None:
                    raise self._unreadable(name, error) from None
                descriptor = self._follow(name)
            content = self._contents[name] = read_regular(descriptor, name, path)
        return content

    def fetch(self):
        """Reads all small regular files, in one tight loop, for many read() to come.

        The folder's list has told what is regular, so that no file is asked. The rest is left
        to read(), which says what is wrong with it.
        """
        self.names()
        prefix, contents, read = self.folder + b"/", self._contents, posix.read
        for name in self._files:
            try:
                descriptor = posix.open(prefix + name, DIRECT)
            except OSError:
                continue
            try:
                content = read(descriptor, SMALL)
                if not read(descriptor, 1):
                    contents[name] = content
            except OSError:
                pass
            posix.close(descriptor)

    def _follow(self, name):
        """Opens a secret that is a link, as in a Kubernetes mount; it must stay in the mount."""
        path = self.path(name)
        try:
            if self._real is None:
                descriptor = posix.open(self.folder, FLAGS)
                try:
                    self._real = real_path(descriptor, self.folder)
                finally:
                    posix.close(descriptor)
            descriptor = posix.open(path, FLAGS)
        except FileNotFoundError:
            raise ShimError(
                f"secret {show(name)}: {show(path)} is a dangling link: what it points to "
                f"({show(link_target(path) or b'')}) does not exist"
            ) from None
        except OSError as error:
            raise self._unreadable(name, error) from None
        real = real_path(descriptor, path)
        if not real.startswith(self._real.rstrip(b"/") + b"/"):
            posix.close(descriptor)
            raise ShimError(
                f"secret {show(name)}: {show(path)} is a link that leaves the mount (to "
                f"{show(real)}); put the file itself there"
            )
        return descriptor

    def _no_name(self):
        # Not shown: a value offered in place of a name is likely to end here.
        return ShimError(
            "what is given as the name of a secret cannot be one: it names a file in "
            f"{show(self.folder)} (letters, digits, `-`, `_` and `.`, at most 64, not starting "
            "with `..`)"
        )

    def _unreadable(self, name, error):
        # A file of any name is read. Where there is none, the grammar of Swarm's names tells
        # what may be shown.
        if (len(name) > 64 or name.translate(None, GRAMMAR)) and name not in self.listed():
            return self._no_name()
        if not isinstance(error, FileNotFoundError):
            return unreadable(name, self.path(name), error)
        try:
            close = did_you_mean(show(name), [show(other) for other in self.names()])
        except ShimError as no_folder:
            return no_folder
        secret, name, folder = name, show(name), show(self.folder)
        return ShimError(
            f"secret {name}: no such file in {folder}{close}; give it to the container, or say "
            f"--optional {name}",
            lesson=("missing", secret),
        )


def read_path(path, what):
    """The raw content of a file anywhere, by the same rules but that of the mount."""
    try:
        descriptor = posix.open(path, FLAGS)
    except OSError as error:
        raise unreadable(what, path, error) from None
    return read_regular(descriptor, what, path)


def read_regular(descriptor, what, path):
    """Reads an open file to its end and closes it.

    `what` is a str for messages, or the name (bytes) of a secret. Raises ShimError unless the
    file is regular and not too big.
    """
    try:
        status = posix.fstat(descriptor)
        if status.st_mode & 0o170000 != 0o100000:
            raise irregular(what, path, status)
        size = status.st_size
        content = b"" if size > LIMIT else posix.read(descriptor, size + 1)
        if len(content) != size:  # it is too big, or changes, or is one of /proc
            content = read_rest(descriptor, content)
    except OSError as error:
        raise unreadable(what, path, error) from None
    finally:
        posix.close(descriptor)
    if len(content) > LIMIT:
        raise ShimError(f"{label(what)}: {show(path)} is larger than 1 MiB, the most that is read")
    return content


def read_rest(descriptor, content):
    """`content` and what follows it in the file, up to more than the limit."""
    while len(content) <= LIMIT:
        more = posix.read(descriptor, LIMIT)
        if not more:
            break
        content += more
    return content


def label(what):
    """How messages call a file: by a str as it is, by the name (bytes) of a secret as that."""
    return what if isinstance(what, str) else "secret " + show(what)


def irregular(what, path, status):
    kind = KINDS.get(status.st_mode & 0o170000, "special file")
    return ShimError(
        f"{label(what)}: {show(path)} is a {kind}: only regular files are read",
        **(about("directory", what) if kind == "directory" else {}),
    )


KINDS = {
    0o010000: "FIFO",
    0o020000: "character device",
    0o040000: "directory",
    0o060000: "block device",
    0o140000: "socket",
}


def unreadable(what, path, error):
    """A ShimError that says why a file cannot be read, by whom, and what to do."""
    if not isinstance(error, PermissionError):
        return ShimError(f"{label(what)}: cannot read {show(path)}: {error.strerror}")
    uid = posix.geteuid()
    try:
        status = posix.stat(path)
    except OSError:
        return ShimError(
            f"{label(what)}: uid {uid} cannot reach {show(path)}: permit it to search the folders "
            "above"
        )
    return ShimError(
        f"{label(what)}: uid {uid} cannot read {show(path)} (mode {status.st_mode & 0o7777:04o}, "
        f"owner {status.st_uid}:{status.st_gid}): give it to this uid, or mode 0444",
        **about("unreadable", what),
    )


def about(kind, what):
    """The lesson of a ShimError about a secret, or none about another file."""
    return {} if isinstance(what, str) else {"lesson": (kind, what)}


def exists(path):
    """Whether something is there; what cannot be looked at counts: reading it says why."""
    try:
        posix.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        pass
    return True


def link_target(path):
    """What a link says that it points to, or None if there is no link."""
    try:
        return posix.readlink(path)
    except OSError:
        return None


def real_path(descriptor, path):
    """Where an open file is, links resolved. The kernel knows; without /proc it is looked up."""
    try:
        return posix.readlink(b"/proc/self/fd/%d" % descriptor)
    except OSError:
        from posixpath import realpath

        return realpath(path)
