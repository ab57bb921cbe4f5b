"""Dev folders: one file per secret, as a container sees them at `/run/secrets`."""

from .folder import DevFolder, FileState
from .layouts import write_layout
from .lifecycle import contents, down, folders, locate, refresh, up
from .overrides import Overrides, is_line
from .overrides import find as find_overrides
from .private import ephemeral
from .settings import FILE_MODE, Settings
from .sources import Source

__all__ = [
    "FILE_MODE",
    "DevFolder",
    "FileState",
    "Overrides",
    "Settings",
    "Source",
    "contents",
    "down",
    "ephemeral",
    "find_overrides",
    "folders",
    "is_line",
    "locate",
    "refresh",
    "up",
    "write_layout",
]
