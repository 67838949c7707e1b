"""Confinement of a program's process by the kernel: no privileges, resource limits, Landlock, a system-call filter.

Linux only, x86-64 and aarch64, standard library only: the warm parents load this file by its path. Every layer
works without privileges and under the default profiles of container runtimes. Covered are files, processes, sockets,
signals, memory, descriptors and output; faults of the kernel itself and timing channels are not.
"""

from __future__ import annotations

import ctypes
import math
import os
import platform
import resource
import struct

LAYERS = ("privileges", "rlimits", "landlock", "seccomp", "audit")

_libc = ctypes.CDLL(None, use_errno=True)
_MACHINE = platform.machine()
# <linux/audit.h>: the filter checks the architecture, because call numbers depend on it.
_AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}.get(_MACHINE)

LOW_DESCRIPTORS = 64

PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_NO_NEW_PRIVS = 1, 4, 38
SIGKILL = 9

# Call numbers as (x86-64, aarch64); None where the architecture has no such call.
# fmt: off
_ALLOWED: dict[str, tuple[int | None, int | None]] = {
    "read": (0, 63), "write": (1, 64), "readv": (19, 65), "writev": (20, 66), "pread64": (17, 67),
    "pwrite64": (18, 68), "lseek": (8, 62), "close": (3, 57), "fstat": (5, 80),
    "munmap": (11, 215), "brk": (12, 214), "mremap": (25, 216), "madvise": (28, 233),
    "rt_sigaction": (13, 134), "rt_sigprocmask": (14, 135), "rt_sigreturn": (15, 139), "rt_sigpending": (127, 136),
    "rt_sigtimedwait": (128, 137), "rt_sigsuspend": (130, 133), "sigaltstack": (131, 132), "futex": (202, 98),
    "set_robust_list": (273, 99), "rseq": (334, 293), "sched_yield": (24, 124), "nanosleep": (35, 101),
    "clock_nanosleep": (230, 115), "clock_gettime": (228, 113), "clock_getres": (229, 114),
    "gettimeofday": (96, 169), "time": (201, None), "times": (100, 153), "getrusage": (98, 165),
    "getpid": (39, 172), "gettid": (186, 178), "getppid": (110, 173), "getuid": (102, 174), "geteuid": (107, 175),
    "getgid": (104, 176), "getegid": (108, 177), "getpgrp": (111, None), "getrandom": (318, 278),
    "exit": (60, 93), "exit_group": (231, 94), "uname": (63, 160), "sched_getaffinity": (204, 123),
    "getcpu": (309, 168), "restart_syscall": (219, 128), "poll": (7, None), "ppoll": (271, 73),
    "select": (23, None), "pselect6": (270, 72), "pause": (34, None), "alarm": (37, None),
    "setitimer": (38, 103), "getitimer": (36, 102),
}
# These calls kill the program; any call in neither table fails with EPERM.
_FATAL: dict[str, tuple[int | None, int | None]] = {
    "clone": (56, 220), "fork": (57, None), "vfork": (58, None), "clone3": (435, 435), "execve": (59, 221),
    "execveat": (322, 281), "socket": (41, 198), "socketpair": (53, 199), "ptrace": (101, 117),
    "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "pidfd_open": (434, 434),
    "pidfd_send_signal": (424, 424), "pidfd_getfd": (438, 438), "unshare": (272, 97), "setns": (308, 268),
    "bpf": (321, 280), "userfaultfd": (323, 282), "io_uring_setup": (425, 425), "perf_event_open": (298, 241),
}
_MAPPING = {"mmap": (9, 222), "mprotect": (10, 226)}
_PRLIMIT, _IOCTL = (302, 261), (16, 29)
# fmt: on
_SECCOMP = {"x86_64": 317, "aarch64": 277}.get(_MACHINE, -1)
_CAPSET = {"x86_64": 126, "aarch64": 91}.get(_MACHINE, -1)
_LANDLOCK_CREATE, _LANDLOCK_RESTRICT = 444, 446

# <linux/bpf_common.h>, <linux/seccomp.h>
_LOAD, _EQUAL, _AT_LEAST, _MASKED, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_KILL, _ERRNO, _ALLOW = 0x80000000, 0x00050000, 0x7FFF0000
_EPERM, _ENOTTY = 1, 25
_NUMBER, _ARCH, _ARGUMENT_2 = 0, 4, 16 + 2 * 8
_SPEC_ALLOW = 4  # no per-process Spectre penalty on kernels before 5.16: nothing secret is mapped


def _instruction(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, value)


def _numbers(table: dict[str, tuple[int | None, int | None]]) -> list[int]:
    column = 0 if _MACHINE == "x86_64" else 1
    return [pair[column] for pair in table.values() if pair[column] is not None]  # type: ignore[misc]


def filter_program() -> bytes:
    """The system-call filter as classic BPF: allowed calls, four checked by an argument, EPERM for the rest.

    No call that takes a path is allowed, even where Landlock is active, so a program gets the same verdict on every
    machine. New executable memory is refused.
    """
    column = 0 if _MACHINE == "x86_64" else 1
    code = [_instruction(_LOAD, _ARCH), _instruction(_EQUAL, _AUDIT_ARCH or 0, 1, 0), _instruction(_RETURN, _KILL)]
    code += [_instruction(_LOAD, _NUMBER)]
    code += [_instruction(_AT_LEAST, 0x40000000, 0, 1), _instruction(_RETURN, _KILL)]  # the x32 numbering
    for number in _numbers(_ALLOWED):
        code += [_instruction(_EQUAL, number, 0, 1), _instruction(_RETURN, _ALLOW)]
    for number in _numbers(_FATAL):
        code += [_instruction(_EQUAL, number, 0, 1), _instruction(_RETURN, _KILL)]
    code += [_instruction(_EQUAL, _IOCTL[column], 0, 1), _instruction(_RETURN, _ERRNO | _ENOTTY)]
    refuse, allow = _instruction(_RETURN, _ERRNO | _EPERM), _instruction(_RETURN, _ALLOW)
    for number in _numbers(dict(_MAPPING)):
        code += [_instruction(_EQUAL, number, 0, 4), _instruction(_LOAD, _ARGUMENT_2)]
        code += [_instruction(_MASKED, 4, 0, 1), refuse, allow]  # PROT_EXEC
    # prlimit64 may read limits but not set them: its third argument, a pointer, must be null in both halves.
    code += [_instruction(_EQUAL, _PRLIMIT[column], 0, 5), _instruction(_LOAD, _ARGUMENT_2)]
    code += [_instruction(_EQUAL, 0, 0, 3), _instruction(_LOAD, _ARGUMENT_2 + 4), _instruction(_EQUAL, 0, 0, 1), allow]
    return b"".join([*code, refuse])


def landlock_version() -> int:
    """The kernel's Landlock version; 0 without Landlock."""
    return max(0, _libc.syscall(_LANDLOCK_CREATE, None, ctypes.c_size_t(0), 1))


def _landlock_ruleset(version: int) -> int:
    """A descriptor of a ruleset that handles every right the kernel has and grants none."""
    files = {1: 13, 2: 14, 3: 15, 4: 15}.get(version, 16)  # how many file rights that version has
    network = 0b11 if version >= 4 else 0
    scopes = 0b11 if version >= 6 else 0
    attributes = struct.pack("=QQQ", (1 << files) - 1, network, scopes)
    size = 8 if version < 4 else 16 if version < 6 else 24
    return int(_libc.syscall(_LANDLOCK_CREATE, attributes, ctypes.c_size_t(size), 0))


def drop_privileges() -> None:
    """In a warm parent, before any program: drop capabilities and set-uid gains, close memory to other processes."""
    _libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    _libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
    header, none = struct.pack("=II", 0x20080522, 0), bytes(24)
    _libc.syscall(_CAPSET, header, none)


def _within(most: int, hard: int) -> int:
    return most if hard == resource.RLIM_INFINITY else min(most, hard)


class Confinement:
    """The layers, prepared once in a warm parent so that each child applies them with few calls."""

    def __init__(self, layers: tuple[str, ...], cpu_seconds: float, memory_bytes: int, file_bytes: int) -> None:
        seconds = math.ceil(cpu_seconds) + 1  # the parent's own clock is finer and fires first
        wanted = (
            (resource.RLIMIT_CPU, seconds),
            (resource.RLIMIT_AS, memory_bytes),
            (resource.RLIMIT_FSIZE, file_bytes),
            (resource.RLIMIT_NOFILE, 32),
            (resource.RLIMIT_NPROC, 0),
            (resource.RLIMIT_CORE, 0),
            (resource.RLIMIT_STACK, 16 << 20),
            (resource.RLIMIT_MEMLOCK, 0),
            (resource.RLIMIT_MSGQUEUE, 0),
        )
        # Children cannot exceed the limits of this process.
        kept = [(kind, _within(most, resource.getrlimit(kind)[1])) for kind, most in wanted]
        self._rlimits = kept if "rlimits" in layers else []
        version = landlock_version() if "landlock" in layers else 0
        self._ruleset = _landlock_ruleset(version) if version else -1
        self._filter = None
        if "seccomp" in layers and _AUDIT_ARCH:
            program = filter_program()
            self._code = ctypes.create_string_buffer(program, len(program))
            self._filter = struct.pack("@HP", len(program) // 8, ctypes.addressof(self._code))
        self._parent = os.getpid()
        if "privileges" in layers:
            drop_privileges()
        in_force = {
            "privileges": "privileges" in layers,
            "rlimits": bool(self._rlimits),
            f"landlock-{version}": self._ruleset >= 0,
            "seccomp": self._filter is not None,
            "audit": "audit" in layers,
        }
        self.active = [name for name, here in in_force.items() if here]

    def put_on(self, *descriptors: int) -> None:
        """Apply the layers in a child, right before the program; close these descriptors and the low ones from 4.

        Raises OSError if a prepared layer fails.
        """
        _libc.prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0)
        if os.getppid() != self._parent:
            os._exit(1)  # the parent died before the signal was armed
        for kind, most in self._rlimits:
            resource.setrlimit(kind, (most, most))
        if self._ruleset >= 0:
            _libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
            if _libc.syscall(_LANDLOCK_RESTRICT, self._ruleset, 0):
                raise OSError(ctypes.get_errno(), "Landlock refused the ruleset")
        os.closerange(4, LOW_DESCRIPTORS)
        for descriptor in descriptors:
            os.close(descriptor)
        if self._filter:
            _libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
            # By call number, because prctl cannot pass the flag; without the flag on kernels before 4.17.
            if _libc.syscall(_SECCOMP, 1, _SPEC_ALLOW, self._filter) and _libc.syscall(_SECCOMP, 1, 0, self._filter):
                raise OSError(ctypes.get_errno(), "the kernel refused the system-call filter")
