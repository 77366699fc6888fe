"""Handler threads: requests go in, responses come back when they are durable.

The event loop hands a request to a lane and awaits its response. A response with
tickets comes back when the last of them is done, so one fsync answers many. What
comes back is gathered, and the loop is woken once for all of it: a wake-up for each
costs a third of the requests a second.
"""

import asyncio
import queue
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from fhir_service.rest.message import Request, Response, Ticket

Answer = Callable[[Request], Response | None]
"""What a lane runs; it answers every exception of its own."""

Reply = asyncio.Future[Response | None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Done:
    """A response on its way back, or None where the lane does not know the request."""

    reply: Reply
    response: Response | None


class Replies:
    """Carries responses from any thread to the event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._done: deque[Done] = deque()
        self._waking = False

    def send(self, done: Done) -> None:
        """Queue one, and wake the loop unless it has been woken already."""
        self._done.append(done)
        if not self._waking:
            self._waking = True
            self._wake()

    def _wake(self) -> None:
        try:
            self._loop.call_soon_threadsafe(self._deliver)
        except RuntimeError:
            # The loop has been closed: nobody waits for these any more.
            self._done.clear()

    def _deliver(self) -> None:
        self._waking = False  # Before the queue is emptied, so that none is missed.
        while self._done:
            done = self._done.popleft()
            if not done.reply.done():
                done.reply.set_result(done.response)


class Lane:
    """Threads that answer requests in the order they come."""

    def __init__(
        self,
        name: str,
        answer: Answer,
        *,
        threads: int,
        replies: Replies,
        undurable: Callable[[Request], Response],
    ) -> None:
        """Start the threads.

        Args:
            name: Of the threads.
            answer: What they run.
            threads: How many.
            replies: Where responses go.
            undurable: The response in place of one whose ticket failed.

        """
        self._answer = answer
        self._replies = replies
        self._undurable = undurable
        self._waiting: queue.SimpleQueue[tuple[Request, Reply] | None]
        self._waiting = queue.SimpleQueue()
        self._threads = tuple(
            threading.Thread(target=self._run, name=f"{name}-{number}", daemon=True)
            for number in range(threads)
        )
        for thread in self._threads:
            thread.start()

    def put(self, request: Request, reply: Reply) -> None:
        """Hand over a request."""
        self._waiting.put((request, reply))

    def close(self, timeout_s: float) -> None:
        """End the threads once they have answered what waits."""
        for _ in self._threads:
            self._waiting.put(None)
        for thread in self._threads:
            thread.join(timeout_s)

    def _run(self) -> None:
        while (item := self._waiting.get()) is not None:
            request, reply = item
            if reply.done():
                continue  # Its deadline has passed while it waited.
            response = self._answer(request)
            if response is None or not response.tickets:
                self._replies.send(Done(reply=reply, response=response))
            else:
                self._when_durable(request, reply, response)

    def _when_durable(self, request: Request, reply: Reply, response: Response) -> None:
        tickets = response.tickets
        if len(tickets) == 1:
            tickets[0].add_done_callback(
                lambda _ticket: self._finish(request, reply, response)
            )
            return
        remaining = _Countdown(len(tickets))

        def count(_ticket: Ticket) -> None:
            if remaining.is_last():
                self._finish(request, reply, response)

        for ticket in tickets:
            ticket.add_done_callback(count)

    def _finish(self, request: Request, reply: Reply, response: Response) -> None:
        durable = all(_succeeded(ticket) for ticket in response.tickets)
        answer = response if durable else self._undurable(request)
        self._replies.send(Done(reply=reply, response=answer))


def _succeeded(ticket: Ticket) -> bool:
    return not ticket.cancelled() and ticket.exception() is None


class _Countdown:
    """Tells the last of several threads."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._lock = threading.Lock()

    def is_last(self) -> bool:
        with self._lock:
            self._count -= 1
            return self._count == 0
