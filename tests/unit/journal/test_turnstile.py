from __future__ import annotations

import threading

from allocator.journal.database import Turnstile


def test_who_waits_is_next() -> None:
    """A thread that lets go and comes back at once does not get in before the one that waited."""
    turnstile, order = Turnstile(), list[str]()

    def append() -> None:
        with turnstile:
            order.append("append")

    waiter = threading.Thread(target=append)
    with turnstile:
        waiter.start()
        while not turnstile._next.locked():  # noqa: SLF001 - held by who waits
            pass
    with turnstile:
        order.append("snapshot")
    waiter.join()
    assert order == ["append", "snapshot"]


def test_it_is_let_go_when_the_block_fails() -> None:
    """An error does not stop everybody behind."""
    turnstile = Turnstile()
    for _ in range(2):
        try:
            with turnstile:
                raise ValueError
        except ValueError:
            pass
    with turnstile:
        pass
