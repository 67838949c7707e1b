"""SIGTERM ends the `mmst` command as Ctrl-C does; a program that imports mmst keeps its own handler."""

import os
import signal

import pytest

from mmst.cli.process import command_process


def test_sigterm_ends_a_command_like_ctrl_c_and_nothing_else() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt), command_process():
        os.kill(os.getpid(), signal.SIGTERM)
        signal.pause()
    assert signal.getsignal(signal.SIGTERM) is before
