"""The sandbox's self-test: a dozen programs that try to break out, run before any other.

None does harm if it succeeds. A probe that reaches its last line, which prints, has succeeded.
"""

from __future__ import annotations

from collections.abc import Callable

from mmst.verify.programs.execution import Execution

_BROKE_OUT = "\nprint('broke out')"
PROBES: dict[str, str] = {
    "read a file": "open('/etc/passwd').read()",
    "read the parent's memory": "import os\nopen(f'/proc/{os.getppid()}/environ', 'rb').read()",
    "list a directory": "import os\nos.listdir('/')",
    "write a file": "import os\nn = f'/tmp/.mmst-{os.getpid()}'\nopen(n, 'w').close()\nos.unlink(n)",
    "fork": "import os\nif not os.fork():\n    os._exit(0)",
    "run a command": "import subprocess\nsubprocess.run(['/bin/true'])",
    "start a thread": "import threading\nt = threading.Thread(target=int)\nt.start()\nt.join()",
    "signal the parent": "import os\nos.kill(os.getppid(), 0)",
    "open a network socket": "import socket\nsocket.socket()",
    "open a Unix socket": "import socket\nsocket.socketpair()",
    "take memory": "x = bytearray({memory_bytes})",
    "flood the output": "import sys\nsys.stdout.write('x' * ({output_bytes} + 8192))\nsys.stdout.flush()",
    "forge an answer and leave": """
import os
for fd in range(3, 32):
    try:
        os.write(fd, b'ok' + bytes(1) + b'int' + bytes(1) + b'42')
    except OSError:
        pass
os._exit(0)""",
    "walk to the host's objects": "import gc\ngc.get_objects()",
}


def failures(run: Callable[[str, float], Execution], memory_bytes: int, output_bytes: int) -> list[str]:
    """What a program could do here that it must not, in words; empty if the sandbox holds.

    `run(program, cpu_seconds)` runs one program on the forked path.
    """
    seen = run("print('warm')\nans = 6 * 7", 5.0)
    if (seen.status, seen.answer, seen.kind, seen.stdout) != ("ok", "42", "int", "warm\n"):
        return [f"a plain program gave {seen.status}: {seen.stderr.strip() or 'no message'}"]
    found = []
    for attempt, program in PROBES.items():
        filled = program.replace("{memory_bytes}", str(memory_bytes)).replace("{output_bytes}", str(output_bytes))
        seen = run(filled + _BROKE_OUT, 5.0)
        if seen.status in ("ok", "no_answer"):
            found.append(f"a program could {attempt}")
    if run("while True:\n    pass", 0.02).status != "timeout":
        found.append("a program could run past its CPU time")
    return found
