"""Dev folders: one file per secret, as a container sees them at `/run/secrets`."""

from .folder import FILE_MODE, DevFolder, FileState, down, folders, locate, refresh, up
from .layouts import write_layout
from .private import ephemeral
from .settings import Settings

__all__ = [
    "FILE_MODE",
    "DevFolder",
    "FileState",
    "Settings",
    "down",
    "ephemeral",
    "folders",
    "locate",
    "refresh",
    "up",
    "write_layout",
]
