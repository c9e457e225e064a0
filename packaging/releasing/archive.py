"""Tar archives that depend on their contents alone: sorted, owned by root, of one time."""

import io
import tarfile

from .files import compressed


def tar(files, time, folders=()):
    """An archive of files, and of folders given as (path, mode, owner). Folders between them are made."""
    entries = {path: (None, mode, owner) for path, mode, owner in folders}
    for path, (content, mode) in files.items():
        entries[path] = (content, mode, 0)
    for path in list(entries):
        for parent in parents(path):
            entries.setdefault(parent, (None, 0o755, 0))
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w", format=tarfile.GNU_FORMAT) as writer:
        for path, (content, mode, owner) in sorted(entries.items()):
            entry = tarfile.TarInfo(path)
            entry.mode, entry.mtime, entry.uid, entry.gid = mode, time, owner, owner
            entry.type = tarfile.DIRTYPE if content is None else tarfile.REGTYPE
            entry.size = len(content or b"")
            writer.addfile(entry, io.BytesIO(content or b""))
    return archive.getvalue()


def parents(path):
    parts = path.split("/")[:-1]
    return ["/".join(parts[: length + 1]) for length in range(len(parts))]


def tarball(files, name, time):
    """A folder `name` with bin/, lib/, share/, and etc/, compressed."""
    inside = {f"{name}/{path.removeprefix('usr/')}": file for path, file in files.items()}
    return compressed(tar(inside, time))
