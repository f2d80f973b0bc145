"""A file system that shows one folder as another, mounted in place: hanging_fs.py FOLDER MOUNTPOINT [fold|picky|coarse].

While this process is stopped (SIGSTOP), nothing on the file system gets an answer: a disk that hangs. With `fold`, names
that differ only in case, the form of accents, or dots and spaces at the end are one file, as on disks of other systems.
With `coarse`, times are as on FAT: in steps of 2 s, and without one for changes of the inode.
"""

import errno
import os
import sys
import unicodedata

from fuse import FUSE, FuseOSError, Operations


def refuse(path):
    """With `picky`, only making a file or folder fails, as on Linux's FAT."""
    name = os.path.basename(path)
    if "picky" in sys.argv[3:] and (set(name) & set('"*:<>?|') or name[-1:] in (".", " ")):
        raise FuseOSError(errno.EINVAL)
    if "picky" in sys.argv[3:] and len(name.encode()) > 143:
        raise FuseOSError(errno.ENAMETOOLONG)


class Mirror(Operations):
    def __init__(self, root):
        self.root = root

    def __call__(self, op, path, *args):
        if "fold" in sys.argv[3:]:
            names = unicodedata.normalize("NFC", path).lower().split("/")
            path = "/".join(name.rstrip(". ") for name in names)
        try:
            return super().__call__(op, self.root + path, *args)
        except OSError as error:
            raise FuseOSError(error.errno)

    def getattr(self, path, fh=None):
        found = os.lstat(path)
        keys = "st_atime st_ctime st_gid st_mode st_mtime st_nlink st_size st_uid st_blocks".split()
        told = {key: getattr(found, key) for key in keys}
        if "coarse" in sys.argv[3:]:
            told["st_mtime"] = told["st_ctime"] = found.st_mtime // 2 * 2
        return told

    def readdir(self, path, fh):
        return [".", ".."] + os.listdir(path)

    def mkdir(self, path, mode):
        refuse(path)
        return os.mkdir(path, mode)

    def unlink(self, path):
        return os.unlink(path)

    def create(self, path, mode, fi=None):
        refuse(path)
        return os.open(path, os.O_RDWR | os.O_CREAT, mode)

    def open(self, path, flags):
        return os.open(path, flags & (os.O_ACCMODE | os.O_TRUNC))

    # The kernel would ask when a file is closed, and let even a process that was killed wait for the answer. It stops
    # asking after the first time that this call is not supported.
    flush = None

    def release(self, path, fh):
        return os.close(fh)

    def read(self, path, size, offset, fh):
        return os.pread(fh, size, offset)

    def write(self, path, data, offset, fh):
        return os.pwrite(fh, data, offset)

    def truncate(self, path, length, fh=None):
        return os.truncate(path, length)

    def fsync(self, path, datasync, fh):
        return os.fsync(fh)

    def utimens(self, path, times=None):
        return os.utime(path, times)

    def statfs(self, path):
        found = os.statvfs(path)
        return {key: getattr(found, key) for key in "f_bavail f_bfree f_blocks f_bsize f_frsize f_namemax".split()}


FUSE(Mirror(os.path.realpath(sys.argv[1])), sys.argv[2], foreground=True, nothreads=True)
