"""Signal handling of the `mmst` process. The library leaves the handlers of its host process alone."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator


@contextlib.contextmanager
def command_process() -> Iterator[None]:
    """Have SIGTERM end the block as Ctrl-C does, by KeyboardInterrupt: `with` blocks then clean up and a run resumes.

    Batch systems and containers stop a process by SIGTERM.
    """
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
