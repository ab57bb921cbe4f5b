"""Dev folders: one file per secret, as a container sees them at `/run/secrets`."""

from .folder import FILE_MODE, DevFolder, FileState, down, folders, locate, refresh, up
from .private import ephemeral

__all__ = [
    "FILE_MODE",
    "DevFolder",
    "FileState",
    "down",
    "ephemeral",
    "folders",
    "locate",
    "refresh",
    "up",
]
