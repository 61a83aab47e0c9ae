"""A proxy before a server: late, and counting how often a client waited."""

from __future__ import annotations

import queue
import socket
import threading
import time
from dataclasses import dataclass, field


@dataclass
class Proxy:
    """Passes bytes on to a server, late.

    Attributes:
        target: The server's socket file.
        delay: Of one direction, in seconds.
        turns: How often a client spoke after the server had answered.
    """

    target: str
    delay: float = 0.0
    turns: int = 0
    port: int = 0
    _listener: socket.socket = field(default_factory=socket.socket)

    def start(self) -> None:
        """Accept connections until the process ends."""
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen()
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            client, _ = self._listener.accept()
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            server = socket.socket(socket.AF_UNIX)
            server.connect(self.target)
            spoke = ["server"]
            self._pass_on(client, server, "client", spoke)
            self._pass_on(server, client, "server", spoke)

    def _pass_on(
        self, source: socket.socket, sink: socket.socket, who: str, spoke: list[str]
    ) -> None:
        late: queue.SimpleQueue[tuple[float, bytes]] = queue.SimpleQueue()

        def read() -> None:
            while True:
                try:
                    data = source.recv(65536)
                except OSError:
                    data = b""
                if data and who == "client" and spoke[0] == "server":
                    self.turns += 1
                if data:
                    spoke[0] = who
                late.put((time.monotonic() + self.delay, data))
                if not data:
                    return

        def write() -> None:
            while True:
                due, data = late.get()
                if (pause := due - time.monotonic()) > 0:
                    time.sleep(pause)
                try:
                    if not data:
                        sink.shutdown(socket.SHUT_WR)
                        return
                    sink.sendall(data)
                except OSError:
                    return

        for action in (read, write):
            threading.Thread(target=action, daemon=True).start()
