"""Signals that come while the daemon goes to sleep."""

import os
import signal
import threading

from syncd.service.signals import Wake


def test_a_signal_at_any_instant_of_the_sleep_does_not_stop_the_daemon_for_ever() -> None:
    wake = Wake()
    ended = threading.Event()

    def interrupt() -> None:
        while not ended.is_set():
            os.kill(os.getpid(), signal.SIGHUP)
            wake.on_change()

    with wake.listening():
        others = threading.Thread(target=interrupt)
        others.start()
        try:
            for _ in range(300):
                wake.sleep(0.0001)
                wake.reload = False
        finally:
            ended.set()
            others.join(10)
    assert not others.is_alive()
