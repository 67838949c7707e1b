"""The system-call filter means the calls that it names, on both architectures."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mmst.verify.programs import confine

HEADERS = (Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"), Path("/usr/include/asm-generic/unistd.h"))
TABLE = {
    **confine._ALLOWED,
    **confine._FATAL,
    **confine._MAPPING,
    "prlimit64": confine._PRLIMIT,
    "ioctl": confine._IOCTL,
}


@pytest.mark.parametrize(("column", "header"), list(enumerate(HEADERS)), ids=["x86-64", "aarch64"])
def test_call_numbers_are_the_kernels(column: int, header: Path) -> None:
    if not header.exists():
        pytest.skip(f"{header} is not here: it comes with the C library's development files")
    found = re.findall(r"#define\s+__NR(?:3264)?_(\w+)\s+(\d+)\b", header.read_text())
    numbers = {name: int(number) for name, number in found}
    assert {name: pair[column] for name, pair in TABLE.items()} == {name: numbers.get(name) for name in TABLE}


def test_no_call_that_takes_a_path_is_allowed() -> None:
    paths = "open openat openat2 creat stat lstat newfstatat statx access faccessat readlink chdir mkdir unlink rename"
    more = "link symlink mknod chmod chown truncate utimensat mount chroot execve statfs getxattr inotify_add_watch"
    assert not set(confine._ALLOWED) & set(f"{paths} {more}".split())
