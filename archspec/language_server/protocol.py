"""pygls's protocol, which keeps what was done for a notification as long as the server runs."""

from __future__ import annotations

from typing import Any

from pygls.protocol import LanguageServerProtocol


class Protocol(LanguageServerProtocol):
    """Lets go of the futures of handlers that have ended.

    pygls 2.1 takes those of requests out of its table, and not those of notifications, nor of the handlers that its own
    call for one: two for each keystroke, two kilobytes each with all that they hold.
    """

    def _execute_handler(self, msg_id: Any, handler: Any, callback: Any, *args: Any, **kwargs: Any) -> None:
        super()._execute_handler(msg_id, handler, callback, *args, **kwargs)
        future = self._request_futures.get(msg_id)
        if future is not None:
            # An identifier may be another request's by now.
            future.add_done_callback(
                lambda done: self._request_futures.pop(msg_id) if self._request_futures.get(msg_id) is done else None
            )
