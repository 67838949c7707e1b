"""A run directory has one writer: a live one keeps it, a dead one is taken over."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import asdict, replace

import pytest

from mmst.errors import InputError
from mmst.runs import lock
from mmst.runs.lock import LOCKS, Holder, held, holder_of

HOLD = "import sys; from pathlib import Path; from mmst.runs.lock import held\n"
HOLD += "with held(Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()"
PIPES = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}


@pytest.fixture
def quick(monkeypatch):
    """Beats and patience of a fraction of a second."""
    monkeypatch.setattr(lock, "BEAT", 0.02)
    monkeypatch.setattr(lock, "STALE_AFTER", 0.5)


@pytest.fixture
def holder(tmp_path):
    with subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], **PIPES) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def elsewhere(root, number=1, **more) -> Holder:
    """A lock file as another host writes it."""
    other = Holder("other-host", "boot:pid", 4711, 99, "2030-01-01 00:00:00", **more)
    (root / LOCKS).mkdir(exist_ok=True)
    (root / LOCKS / f"{number:06d}.json").write_text(json.dumps(asdict(other)))
    return other


def test_a_live_holder_is_named_and_keeps_the_run(tmp_path, holder) -> None:
    with pytest.raises(InputError, match=rf"in use by process {holder.pid} on \S+ since 20"), held(tmp_path):
        pass
    assert holder_of(tmp_path).pid == holder.pid


def test_a_stopped_holder_on_this_machine_keeps_the_run_too(tmp_path, holder, quick) -> None:
    holder.send_signal(signal.SIGSTOP)
    with pytest.raises(InputError, match="in use"), held(tmp_path):
        pass


def test_a_killed_holder_is_taken_over_at_once(tmp_path, holder) -> None:
    holder.kill()
    holder.wait()
    assert holder_of(tmp_path) is None
    with held(tmp_path):
        assert holder_of(tmp_path).pid == os.getpid()


def test_a_zombie_holds_nothing(tmp_path, holder) -> None:
    holder.kill()
    os.waitid(os.P_PID, holder.pid, os.WEXITED | os.WNOWAIT)
    with held(tmp_path):
        pass


def test_a_process_that_got_the_number_of_a_dead_holder_is_not_the_holder(tmp_path, holder) -> None:
    path = next((tmp_path / LOCKS).iterdir())
    kept = Holder(**json.loads(path.read_text()))
    path.write_text(json.dumps(asdict(replace(kept, started=kept.started - 1))))
    assert holder_of(tmp_path) is None


def test_a_holder_on_another_host_that_beats_keeps_the_run(tmp_path, quick) -> None:
    path = tmp_path / LOCKS / "000001.json"
    end = threading.Event()

    def beat() -> None:
        number = 0
        while not end.wait(0.02):
            elsewhere(tmp_path, beat=(number := number + 1))

    elsewhere(tmp_path)
    thread = threading.Thread(target=beat)
    thread.start()
    with pytest.raises(InputError, match="process 4711 on other-host"), held(tmp_path):
        pass
    end.set()
    thread.join()
    assert path.exists()


def test_a_holder_on_another_host_is_dead_when_its_beat_stands_still(tmp_path, quick) -> None:
    elsewhere(tmp_path, beat=7)
    said = []
    with held(tmp_path, said.append):
        assert holder_of(tmp_path).pid == os.getpid()
    assert "other-host" in said[0]


def test_a_lock_file_that_says_nothing_is_watched_and_then_taken_over(tmp_path, quick) -> None:
    (tmp_path / LOCKS).mkdir()
    (tmp_path / LOCKS / "000003.json").write_text("")
    with held(tmp_path):
        assert [path.name for path in (tmp_path / LOCKS).iterdir()] == ["000004.json"]


def test_a_holder_that_was_away_too_long_finds_out_and_stops(tmp_path, quick) -> None:
    with pytest.raises(InputError, match=r"taken over by process 4711 on other-host"), held(tmp_path):
        elsewhere(tmp_path, number=2)
        time.sleep(10)  # interrupted by the first heartbeat that sees the new file
    assert holder_of(tmp_path).pid == 4711


def test_a_holder_that_was_away_too_long_stops_even_if_its_process_ignores_interrupts(tmp_path, quick) -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with pytest.raises(InputError, match="taken over by process 4711"), held(tmp_path):
            elsewhere(tmp_path, number=2)
            for _ in range(1000):
                time.sleep(0.01)
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_holder_in_a_thread_that_was_away_too_long_stops_and_no_other_thread_does(tmp_path, quick) -> None:
    caught = []

    def work() -> None:
        try:
            with held(tmp_path):
                elsewhere(tmp_path, number=2)
                while True:
                    time.sleep(0.01)
        except InputError as error:
            caught.append(str(error))

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(10)
    assert "taken over by process 4711 on other-host" in caught[0]


def test_of_many_starts_at_once_one_gets_the_run(tmp_path) -> None:
    starts = [subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stderr=subprocess.PIPE, **PIPES)
              for _ in range(8)]  # fmt: skip
    lines = [start.stdout.readline() for start in starts]
    errors = [start.communicate()[1] for start in starts]
    assert lines.count("held\n") == 1
    assert sum("in use by process" in error for error in errors) == 7


def test_a_lock_that_was_given_back_is_free(tmp_path) -> None:
    for _ in range(3):
        with held(tmp_path):
            pass
    assert holder_of(tmp_path) is None
    assert len(list((tmp_path / LOCKS).iterdir())) == 1
