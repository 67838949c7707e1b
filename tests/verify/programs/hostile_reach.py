"""Hostile programs that reach for what is not theirs: files, processes, signals, sockets, the host, a forged answer."""

from __future__ import annotations

from hostile import UNTIL, attempts, case

# fmt: off

# Files: neither the filter nor Landlock lets a path be opened; what has no path only the filter stops. ----------------
attempts("forbidden", "seccomp landlock", {
    "a file cannot be read": "open('@SECRET@').read()",
    "a file cannot be read by descriptor": "import os\nos.read(os.open('@SECRET@', os.O_RDONLY), 9)",
    "a file cannot be read by FileIO": "import io\nio.FileIO('@SECRET@').read()",
    "a file cannot be read by pathlib": "import pathlib\npathlib.Path('@SECRET@').read_text()",
    "the password file cannot be read": "open('/etc/passwd').read()",
    "a folder cannot be listed": "import os\nos.listdir('@FOLDER@')",
    "a folder cannot be scanned": "import os\nlist(os.scandir('/'))",
    "a file cannot be written": "open('@FOLDER@/left', 'w').close()",
    "a file cannot be appended to": "open('@SECRET@', 'a').close()",
    "a folder cannot be made": "import os\nos.mkdir('@FOLDER@/left')",
    "a file cannot be removed": "import os\nos.unlink('@SECRET@')",
    "a file cannot be renamed": "import os\nos.rename('@SECRET@', '@FOLDER@/left')",
    "a file cannot be linked": "import os\nos.link('@SECRET@', '@FOLDER@/left')",
    "a symbolic link cannot be made": "import os\nos.symlink('@SECRET@', '@FOLDER@/left')",
    "a named pipe cannot be made": "import os\nos.mkfifo('@FOLDER@/left')",
    "a file cannot be cut": "import os\nos.truncate('@SECRET@', 0)",
    "a terminal cannot be opened": "import os\nos.openpty()",
    "the parent's command cannot be read": "import os\nopen(f'/proc/{os.getppid()}/cmdline', 'rb').read()",
    "the list of processes cannot be read": "import os\nos.listdir('/proc')",
    "shared memory cannot be made": "import os\nos.open('/dev/shm/mmst-left', os.O_CREAT | os.O_RDWR)\n"
        "os.unlink('/dev/shm/mmst-left')",
})
attempts("forbidden", "seccomp", {
    "a file cannot be looked at": "import os\nos.stat('@SECRET@')",
    "a link cannot be read": "import os\nos.readlink('/proc/self/exe')",
    "the folder cannot be changed": "import os\nos.chdir('/tmp')",
    "the folder's name cannot be asked": "import os\nos.getcwd()",
    "a file's rights cannot be changed": "import os\nos.chmod('@SECRET@', 0o777)",
    "a file's owner cannot be changed": "import os\nos.chown('@SECRET@', os.getuid(), os.getgid())",
    "a file's times cannot be changed": "import os\nos.utime('@SECRET@', (0, 0))",
    "a file's attributes cannot be asked": "import os\nos.listxattr('@SECRET@')",
    "a file in memory cannot be made": "import os\nos.memfd_create('left')",
    "a pipe cannot be made": "import os\nos.pipe()",
    "a descriptor cannot be doubled": "import os\nos.dup(1)",
    "a descriptor cannot be put over another": "import os\nos.dup2(1, 3)",
    "the file system cannot be asked": "import os\nos.statvfs('/')",
})
attempts("runtime_error forbidden", "seccomp landlock", {
    "a temporary file cannot be made": "import tempfile\ntempfile.TemporaryFile().close()",
    "a database file cannot be opened":
        "import sqlite3\nsqlite3.connect('@FOLDER@/left.db').execute('create table t(a)')",
    "a module cannot be brought along":
        "import sys\nsys.path.append('@FOLDER@/..')\nimport planted",
})
attempts("forbidden", "seccomp landlock privileges", {
    "the program's own environment file cannot be read": "open('/proc/self/environ', 'rb').read()",
    "the parent's memory cannot be read": "import os\nopen(f'/proc/{os.getppid()}/maps', 'rb').read()",
    "the caller's environment cannot be read": "open('/proc/@HOST@/environ', 'rb').read()",
    "the parent's environment cannot be read": "import os\nopen(f'/proc/{os.getppid()}/environ', 'rb').read()",
    "the caller's memory cannot be read": "open('/proc/@HOST@/maps', 'rb').read()",
})
attempts("forbidden", "", {
    "a file cannot be made where the parent stands":
        "import os\nopen('mmst-left', 'w').close()\nos.unlink('mmst-left')",
    "the kernel's log cannot be read": "open('/dev/kmsg', 'rb').close()",
    "the root cannot be changed": "import os\nos.chroot('/')",
})
attempts("runtime_error", "", {
    "a module cannot be loaded late": "__import__('color' + 'sys')",
    "foreign memory cannot be reached": "import ctypes\nctypes.string_at(id(0), 8)",
    "foreign memory cannot be reached by its core": "import _ctypes\nprint(_ctypes.dlopen)",
    "the environment is empty": "import os\nprint(os.environ['PATH'])",
})


# Processes and threads -----------------------------------------------------------------------------------------------
attempts("forbidden", "seccomp landlock", {
    "a terminal process cannot be made": "import os, pty\nif not os.forkpty()[0]: os._exit(0)",
    "a command cannot be run": "import subprocess\nsubprocess.run(['/bin/true'], check=True)",
    "a shell cannot be read from": "import os, subprocess\nos.popen('true').read()",
    "a process cannot be spawned": "import os\nos.posix_spawn('/bin/true', ['true'], {})",
    "the program cannot become another": "import os\nos.execv('/bin/echo', ['echo', 'BROKE'])",
    "a way round through all classes ends at the kernel": """import subprocess
found = [c for c in object.__subclasses__() if c.__name__ == 'Popen'][0]
found(['/bin/true']).wait()""",
    "the caller cannot be signalled": "import os\nos.kill(@HOST@, 0)",
    "the parent cannot be signalled": "import os\nos.kill(os.getppid(), 0)",
})
attempts("forbidden", "seccomp", {
    "a process cannot be made": "import os\nif not os.fork(): os._exit(0)",
    "a fork bomb does not go off": """import os, time
for _ in range(24):
    try:
        if not os.fork(): time.sleep(1); os._exit(0)
    except OSError: pass""",
    "a daemon cannot be left behind": """import os, time
if not os.fork():
    os.setsid()
    if not os.fork(): time.sleep(3)
    os._exit(0)""",
    "a shell cannot be run": "import os\nassert os.system('true') == 0",
    "a worker process cannot be made": "import multiprocessing.popen_fork\n"
        "p = multiprocessing.get_context('fork').Process()\np.start()\np.join()",
    "a thread cannot be started": "import threading\nthreading.Thread(target=int).start()",
    "a thread cannot outlive the program": """import _thread, time
_thread.start_new_thread(time.sleep, (20,))""",
    "a pool of threads cannot be started":
        "import concurrent.futures.thread as t\nt.ThreadPoolExecutor().submit(int).result()",
    "unpickling cannot run a command": "import pickle\npickle.loads(b\"cos\\nsystem\\n(S'true'\\ntR.\")",
    "an event loop cannot be started": "import asyncio\nasyncio.run(asyncio.sleep(0))",
})
attempts("forbidden", "seccomp", {
    "everybody cannot be signalled": "import os\nos.kill(-1, 0)",
    "the group cannot be signalled": "import os\nos.killpg(0, 0)",
    "the parent cannot be taken hold of": "import os\nos.pidfd_open(os.getppid())",
    "a session cannot be left": "import os\nos.setsid()",
    "priority cannot be changed": "import os\nos.nice(1)",
    "the processor cannot be chosen": "import os\nos.sched_setaffinity(0, os.sched_getaffinity(0))",
    "the user cannot be changed": "import os\nos.setuid(os.getuid())",
    "the parent's limits cannot be set":
        "import resource as r, os\nr.prlimit(os.getppid(), r.RLIMIT_CORE, (0, 0))",
})
attempts("runtime_error forbidden", "seccomp", {
    "limits cannot be set":
        "import resource as r\nr.setrlimit(r.RLIMIT_NOFILE, (8, r.getrlimit(r.RLIMIT_NOFILE)[1]))",
    "code cannot be mapped": "import mmap\nmmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_EXEC)",
})
attempts("crashed", "", {
    "aborting is a crash": "import os\nprint(31337, flush=True)\nos.abort()",
    "leaving under the table gives no answer": "import os\nprint(31337, flush=True)\nos._exit(0)",
    "closing every descriptor gives no answer": "import os\nos.closerange(0, 64)\nans = 31337",
})

# Sockets -------------------------------------------------------------------------------------------------------------
attempts("forbidden", "seccomp landlock", {
    "TCP cannot be spoken": "import socket\nsocket.socket().connect(('127.0.0.1', @TCP@))",
    "TCP cannot be listened to": "import socket\nsocket.create_server(('127.0.0.1', 0))",
})
attempts("forbidden runtime_error", "seccomp landlock", {
    "a web page cannot be fetched": """import http.client, encodings.idna, socket
socket.setdefaulttimeout(0.2)
http.client.HTTPConnection('127.0.0.1', @TCP@).connect()""",
})
attempts("forbidden", "seccomp", {
    "UDP cannot be spoken":
        "import socket\nsocket.socket(type=socket.SOCK_DGRAM).sendto(b'left', ('127.0.0.1', @UDP@))",
    "a Unix socket cannot be spoken to": "import socket\nsocket.socket(socket.AF_UNIX).connect('@UNIX@')",
    "an abstract Unix socket cannot be made": "import socket\nsocket.socket(socket.AF_UNIX).bind('\\0mmst-left')",
    "the kernel cannot be spoken to": "import socket\nsocket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)",
    "a pair of sockets cannot be made": "import socket\nsocket.socketpair()",
})
attempts("forbidden", "", {"IPv6 cannot be spoken": "import socket\nsocket.socket(socket.AF_INET6)"})

# Forging. The honest answer is 7; 31337 is the forged one. -----------------------------------------------------------
_WRITE = """
def forge(nonce):
    for number in range(3, 64):
        try:
            os.pwrite(number, nonce + b'ok' + bytes(1) + b'int' + bytes(1) + b'31337', 0)
        except OSError:
            pass
"""
for _name, _statuses, _held_by, _program in [
    ("a record without the nonce is not taken", "crashed", "", "forge(b'')\nos._exit(0)"),
    ("a record of zeros is not taken", "crashed", "", "forge(bytes(16))\nos._exit(0)"),
    ("the nonce is in no frame below", "crashed", "", """
frame = sys._getframe()
while frame:
    for value in list(frame.f_locals.values()):
        if isinstance(value, bytes) and len(value) == 16: forge(value)
    frame = frame.f_back
os._exit(0)"""),
    ("the nonce is in no frame of an exception", "crashed", "", """
try: 1 / 0
except ZeroDivisionError as error: frame = error.__traceback__.tb_frame
while frame:
    for value in [*frame.f_locals.values(), *frame.f_globals.values()]:
        if isinstance(value, bytes) and len(value) == 16: forge(value)
    frame = frame.f_back
os._exit(0)"""),
    ("foreign memory is in no frame below", "no_answer", "", """
frame, found = sys._getframe(), []
while frame:
    found += [*frame.f_locals.values(), *frame.f_globals.values()]
    frame = frame.f_back
for value in found:
    for held in [value, *vars(value).values()] if hasattr(value, '__dict__') else [value]:
        if 'ctypes' in str(type(held)) or getattr(held, 'string_at', None): print('BROKE', held)"""),
    ("foreign memory is in no class", "no_answer", "", """
classes = [object]
for c in classes: classes += [s for s in type.__subclasses__(c) if s not in classes]
for c in classes:
    for method in vars(c).values():
        for name in ('_libc', 'memmove', 'pythonapi', 'string_at', '_dlopen'):
            if name in getattr(method, '__globals__', ()): print('BROKE', c, name)"""),
    ("the nonce is not found among all objects", "forbidden", "audit", """
import gc
found = [o for o in gc.get_objects()] + [r for o in gc.get_objects() for r in gc.get_referents(o)]
for value in found:
    if isinstance(value, bytes) and len(value) == 16: forge(value)
os._exit(0)"""),
    ("the nonce is not found by who refers to it", "forbidden", "audit", """
import gc
for value in gc.get_referrers(os.pwrite):
    for part in gc.get_referents(value):
        if isinstance(part, bytes) and len(part) == 16: forge(part)
print('BROKE')
os._exit(0)"""),
    ("frames cannot be traced", "forbidden", "audit", """
def trace(frame, event, argument):
    for value in frame.f_locals.values():
        if isinstance(value, bytes) and len(value) == 16: forge(value); os._exit(0)
    return trace
sys.settrace(trace)
frame = sys._getframe()
while frame: frame.f_trace = trace; frame = frame.f_back
print('BROKE')"""),
    ("frames cannot be profiled", "forbidden", "audit", """
def profile(frame, event, argument):
    for value in frame.f_locals.values():
        if isinstance(value, bytes) and len(value) == 16: forge(value); os._exit(0)
sys.setprofile(profile)
print('BROKE')"""),
    ("bytecode cannot be made up", "forbidden", "audit",
     "def f(): pass\nf.__code__ = f.__code__.replace(co_code=bytes([100, 200] * 8))\nprint('BROKE')"),
    ("bytecode cannot be loaded", "forbidden", "audit",
     "import marshal\nmarshal.loads(marshal.dumps(7))\nprint('BROKE')"),
]:
    case(_name, _statuses, f"import os, sys\n{_WRITE}\n{_program}", _held_by)
for _name, _program in {
    "a changed builtin does not change the answer": "import builtins\nans = 7\nbuiltins.str = builtins.repr = "
        "builtins.type = builtins.len = lambda *a: '31337'",
    "a changed module does not change the answer": "import os\nans = 7\n"
        "os.pwrite = os.write = os._exit = lambda *a: 31337",
    "a changed main module does not change the answer": "import sys, types\nans = 7\nsys.modules['__main__'] = "
        "types.SimpleNamespace(ans=31337)",
    "a changed import does not change the answer": "import builtins\nans = 7\nbuiltins.__import__ = lambda *a: 31337",
    "a replaced output does not change the answer": "import io, sys\nans = 7\nsys.stdout = io.StringIO('31337')",
    "a lost output does not change the answer": "import sys\nans = 7\nsys.stdout = sys.__stdout__",
    "what a program prints like a record is only printed": "ans = 7\nprint('ok', 'int', '31337', sep=chr(0))",
    "an import hook sees nothing of the host": "import sys\nclass F:\n    def find_spec(*a): return None\n"
        "sys.meta_path.insert(0, F)\nans = 7",
    "a rewritten output is not an answer": "import os\nans = 7\nprint(1)\nos.pwrite(1, b'31337', 0)",
}.items():
    case(_name, "ok", _program, answer="7")
case(
    "a killed program's output is no answer",
    "timeout",
    UNTIL
    + """
print(31337, flush=True)
while time.monotonic() < end: pass""",
)
case(
    "an exit function after a forged record cannot leave early with it",
    "crashed",
    f"import os, atexit\n{_WRITE}\natexit.register(os._exit, 0)\nforge(bytes(16))\nans = 31337",
)

# What must not reach the next program --------------------------------------------------------------------------------
for _name, _program in {
    "time zone and locale stay behind": "import time, locale, os\nos.environ['TZ'] = 'Asia/Tokyo'\ntime.tzset()\n"
        "try: locale.setlocale(locale.LC_ALL, 'de_DE.UTF-8')\nexcept Exception: pass\nans = 7",
    "precision stays behind": "import decimal\ndecimal.getcontext().prec = 2\nans = 7",
    "a changed constant stays behind": "import math\nmath.pi = 3\nans = 7",
    "a changed print stays behind": "import builtins\nbuiltins.print = lambda *a: None\nans = 7",
    "a seed stays behind": "import random\nrandom.seed(3)\nans = 7",
    "a recursion limit stays behind": "import sys\nsys.setrecursionlimit(60)\nans = 7",
}.items():
    case(_name, "ok", _program, answer="7")
