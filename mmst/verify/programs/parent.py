"""The warm parent: a small interpreter, started by exec, that forks one confined child per program.

Runs as a script, `python -s -S -B parent.py CONFIG`: descriptor 0 is empty; 1 and 2 are files for its children's
output, which the caller reads and empties. It never sees a program, an output or an answer: after the fork a child
reads its program from a file and leaves its answer in another. Standard library only; nothing but this code is kept
between two programs.
"""

from __future__ import annotations

import atexit
import builtins
import contextlib
import errno
import fcntl
import gc
import importlib
import json
import math
import operator
import os
import re
import select
import signal
import site
import sys
import time
import types
import typing
from functools import partial
from pathlib import Path

import confine  # beside this file; run as a script, its folder comes first

# Modules that programs for word problems import; a child imports others of the standard library on demand.
_WARM = ("_strptime", "calendar", "cmath", "collections", "copy", "dataclasses", "datetime", "decimal", "enum",
         "fractions", "functools", "heapq", "itertools", "json", "random", "statistics", "string", "textwrap",
         "traceback")  # fmt: skip
# Modules that the packages import late, which a confined child cannot do.
_LAZY = {
    "numpy": "fft ma polynomial random",
    "sympy": "abc assumptions.facts assumptions.handlers.calculus assumptions.handlers.matrices "
    "assumptions.handlers.ntheory assumptions.handlers.order assumptions.handlers.sets assumptions.lra_satask "
    "assumptions.satask assumptions.wrapper codegen.ast combinatorics combinatorics.fp_groups "
    "combinatorics.galois combinatorics.homomorphisms concrete.delta discrete.recurrences integrals.heurisch "
    "integrals.manualintegrate integrals.prde integrals.risch logic.algorithms.dpll logic.algorithms.dpll2 "
    "logic.algorithms.lra_theory logic.algorithms.minisat22_wrapper logic.algorithms.pycosat_wrapper "
    "logic.algorithms.z3_wrapper matrices.expressions.applyfunc physics.units polys.dispersion "
    "polys.distributedmodules polys.domains.old_fractionfield polys.domains.old_polynomialring "
    "polys.domains.quotientring polys.numberfields.resolvent_lookup sets.handlers.add sets.handlers.functions "
    "sets.handlers.issubset sets.handlers.mul sets.handlers.power stats tensor.array.array_derivatives "
    "tensor.array.expressions tensor.tensor",
}

RESULT = 3  # the descriptor that a child leaves its answer on
_CPU_CLOCK = 2  # CPUCLOCK_SCHED: user and system time of a process, <linux/posix-timers.h>
_IMPORT = re.compile(r"\b(?:from[ \t]+([\w.]+)[ \t]+import[ \t]+\(?([\w, \t]+)|import[ \t]+([\w., \t]+))")
# Modules with such a part in their name are not for programs: they act on import, open windows or reach foreign memory.
_KEPT_OUT = {"antigravity", "this", "tkinter", "turtle", "turtledemo", "idlelib", "lib2to3", "test", "ensurepip",
             "tests", "venv", "ctypes", "_ctypes", "__hello__", "__phello__", "__main__"}  # fmt: skip
# Audit events that are refused: they lead from a program to the objects of its host, or to memory.
_REFUSED = {"gc.get_objects", "gc.get_referrers", "gc.get_referents", "sys.settrace", "sys.setprofile",
            "sys._current_frames", "sys._current_exceptions", "sys.addaudithook", "code.__new__", "marshal.loads",
            "ctypes.dlopen", "ctypes.dlsym", "ctypes.call_function", "ctypes.cdata"}  # fmt: skip


def serve(config: dict[str, typing.Any]) -> typing.Iterator[object]:
    """Fork a child for each message (CPU and wall seconds), wait for it, and reply with how it ended.

    Returns only in a child, with the steps that it still has to take, so that this frame is gone when they run.
    """
    confinement = confine.Confinement(
        tuple(config["layers"]), config["cpu_seconds"], config["memory_bytes"], config["file_bytes"]
    )
    audit = "audit" in config["layers"]
    control, woken = config["control"], _wake_on_child()
    poll = select.poll()
    poll.register(control, select.POLLIN)
    poll.register(woken, select.POLLIN)
    gc.collect()
    gc.disable()
    gc.freeze()
    os.write(control, f"warm {' '.join(confinement.active)}".encode())
    while request := os.read(control, 256):
        cpu_seconds, wall_seconds = map(float, request.split())
        started = time.monotonic()
        pid = os.fork()
        if not pid:
            return _child(config, confinement, audit)
        killed = _deadline(pid, poll, control, woken, started, cpu_seconds, wall_seconds)
        _, status, usage = os.wait4(pid, 0)
        cpu, wall = usage.ru_utime + usage.ru_stime, time.monotonic() - started
        os.write(control, f"{status} {killed} {cpu:.6f} {wall:.6f}".encode())
    os._exit(0)


def _wake_on_child() -> int:
    """A descriptor that becomes readable when a child ends (no pidfd: gVisor has none)."""
    woken, wake = os.pipe()
    os.set_blocking(woken, False)
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    return woken


def _deadline(
    pid: int, poll: select.poll, control: int, woken: int, started: float, cpu_seconds: float, wall_seconds: float
) -> str:
    """Wait for the child, or kill it at a limit: returns c for CPU time, w for wall time, - if it ended by itself."""
    wait = min(cpu_seconds, wall_seconds)
    while True:
        ready = [descriptor for descriptor, _ in poll.poll(math.ceil(wait * 1000))]
        if control in ready:  # the caller is gone
            os.kill(pid, signal.SIGKILL)
            os._exit(0)
        if woken in ready:
            os.read(woken, 64)
            if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT | os.WNOHANG):
                return "-"
        cpu_left = cpu_seconds - time.clock_gettime((~pid << 3) | _CPU_CLOCK)
        wall_left = wall_seconds - (time.monotonic() - started)
        if cpu_left <= 0 or wall_left <= 0:
            os.kill(pid, signal.SIGKILL)
            return "c" if cpu_left <= 0 else "w"
        wait = min(cpu_left, wall_left)


def _child(config: dict[str, typing.Any], confinement: confine.Confinement, audit: bool) -> typing.Iterator[object]:
    """Prepare, then return the last steps (run, hand over, exit) as an iterator that nothing else refers to.

    The steps are called from C, so no frame below the running program holds the nonce or the writer. Modules that call
    into foreign memory are emptied, in case a program finds them.
    """
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    size = os.fstat(config["program"]).st_size
    nonce_and_source = os.pread(config["program"], size, 0)
    nonce, source_bytes = nonce_and_source[: config["nonce_bytes"]], nonce_and_source[config["nonce_bytes"] :]
    source = source_bytes.decode("utf-8", "surrogatepass")
    _import_for(source, config["packages"])
    main = types.ModuleType("__main__")
    main.__dict__["__builtins__"] = builtins
    sys.modules["__main__"] = main
    sys.path[:], sys.argv[:] = [], [""]
    confinement.put_on(config["control"], config["program"])
    for name in [name for name in sys.modules if name.partition(".")[0] in ("ctypes", "_ctypes", "confine")]:
        sys.modules.pop(name).__dict__.clear()
    gc.enable()
    if audit:
        sys.addaudithook(_refuse)
    private, outcome = config["private"], ["crashed", None, None]
    only_defined = private["only_defines_solution"](source)
    program = partial(_value_of, main.__dict__, private["computed"], sys.stdout, only_defined)
    run = partial(_run, source, program, outcome, private["render"], private["TooLong"], config["output_bytes"])
    hand_over = partial(private["hand_over"], nonce, outcome, os.pwrite, RESULT)
    return map(operator.call, (run, hand_over, partial(os._exit, 0)))


def _refuse(event: str, arguments: tuple[object, ...]) -> None:
    if event in _REFUSED:
        raise PermissionError(1, f"not allowed in the sandbox: {event}")


def _import_for(source: str, packages: list[str]) -> None:
    """Import the modules of the standard library that the program names, while files can still be read."""
    allowed = sys.stdlib_module_names | set(packages)
    for package, members, modules in _IMPORT.findall(source):
        names = [name.split()[0] for name in f"{package},{modules}".split(",") if name.strip()]
        if _imported(names, allowed) and hasattr(sys.modules.get(package), "__path__"):
            _imported([f"{package}.{name.split()[0]}" for name in members.split(",") if name.strip()], allowed)


def _imported(names: list[str], allowed: typing.AbstractSet[str]) -> bool:
    for name in names:
        if name.partition(".")[0] in allowed and _KEPT_OUT.isdisjoint(name.split(".")) and name not in sys.modules:
            try:
                importlib.import_module(name)
            except Exception:  # the program's own import reports it
                return False
    return True


def _run(
    source: str,
    value_of: typing.Callable[[types.CodeType], typing.Any],
    outcome: list[str | None],
    render: typing.Callable[[typing.Any, int], tuple[str, str]],
    too_long: type[Exception],
    most: int,
) -> None:
    """Run the program; put (status, kind, answer) in `outcome` and errors on standard error."""
    stdout = sys.stdout
    try:
        code = compile(source, "<program>", "exec", dont_inherit=True)
    except BaseException as error:  # also MemoryError and RecursionError: nested too deeply
        outcome[0] = "syntax_error"
        if isinstance(error, SyntaxError) and len(error.text or "") > 200:
            error.text = None
        sys.excepthook(type(error), error.with_traceback(None), None)
        return
    try:
        value = value_of(code)
        sys.set_int_max_str_digits(0)
        outcome[:] = ["ok", *(render(value, most) if value is not None else (None, None))]
    except too_long as error:
        outcome[:] = ["output_limit", error.args[0], None]
    except BaseException as error:
        outcome[0] = _status_of(error)
        trace = None if isinstance(error, MemoryError) else error.__traceback__  # formatting it takes memory
        while trace and trace.tb_frame.f_code.co_filename != "<program>":
            trace = trace.tb_next
        sys.__excepthook__(type(error), error.with_traceback(trace), trace)
    _flush(stdout)


def _flush(*streams: typing.TextIO | None) -> None:
    for stream in streams:  # a program may have closed, replaced or removed its own
        if stream is not None and not stream.closed:
            stream.flush()


def _value_of(
    namespace: dict[str, typing.Any],
    computed: typing.Callable[[dict[str, typing.Any]], typing.Any],
    stdout: typing.TextIO,
    only_defined: bool,
    code: types.CodeType,
) -> typing.Any:
    """The program's answer: `ans`, `answer`, or the result of a `solution` that it defines but does not call."""
    try:
        exec(code, namespace)
    except SystemExit as stop:
        if stop.code:
            raise
    finally:
        atexit._run_exitfuncs()
        _flush(sys.stdout, stdout)
    value, solution = computed(namespace), namespace.get("solution")
    if value is None and only_defined and callable(solution) and not stdout.tell():
        return solution()
    return value


def _status_of(error: BaseException) -> str:
    if isinstance(error, MemoryError):
        return "memory"
    if isinstance(error, PermissionError):
        return "forbidden"
    return "output_limit" if isinstance(error, OSError) and error.errno == errno.EFBIG else "runtime_error"


def _warm_up(config: dict[str, typing.Any]) -> None:
    """Import the packages, from their own folders only, and load `answer.py` into a private namespace."""
    for setter in (site.setquit, site.setcopyright, site.sethelper):
        setter()
    sys.path[:1] = config["path"]
    for package in (*_WARM, *config["packages"]):
        importlib.import_module(package)
        for name in _LAZY.get(package, "").split():
            with contextlib.suppress(ImportError):  # another version's
                importlib.import_module(f"{package}.{name}")
    hand_over = Path(__file__).with_name("answer.py")
    config["private"] = {"__builtins__": dict(vars(builtins)), "__name__": "answer"}
    exec(compile(hand_over.read_text("utf-8"), hand_over.name, "exec"), config["private"])


def _settle_descriptors(config: dict[str, typing.Any]) -> None:
    """Move the result to its fixed number, the others above the range that a child closes."""
    for name in ("control", "program", "result"):
        given, config[name] = config[name], fcntl.fcntl(config[name], fcntl.F_DUPFD, confine.LOW_DESCRIPTORS)
        os.close(given)
    os.dup2(config["result"], RESULT)
    os.close(config["result"])


def start(arguments: list[str]) -> typing.Iterator[object]:
    config = json.loads(arguments[1])
    os.environ.clear()
    _settle_descriptors(config)
    _warm_up(config)
    return serve(config)


if __name__ == "__main__":
    list(start(sys.argv))
