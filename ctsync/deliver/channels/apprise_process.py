"""The process that sends one message with apprise. Run as a program; imports nothing of ctsync.

apprise has no time limit for a complete message, and lets requests read ~/.netrc. A process of its
own can be ended, and gets an environment without that file.

Reads a JSON object from stdin: url, title, body and the seconds after which the process ends.
Writes a RESULT to stdout; the text of an error is left out, because it may contain the URL.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import threading

SENT = "sent"
MISSING = "apprise is not installed"
UNSUPPORTED = "apprise does not support this URL"
REFUSED = "not accepted"


def main() -> None:
    """Send the message given on stdin, and write the result to stdout."""
    given = json.load(sys.stdin)
    # the parent may have died, and a server that answers slowly would keep this process for ever
    limit = threading.Timer(given["seconds"], os._exit, (1,))
    limit.daemon = True
    limit.start()
    sys.stdout.write(_send(given["url"], given["title"], given["body"]))


def _send(url: str, title: str, body: str) -> str:
    try:
        import apprise  # noqa: PLC0415 - an optional package, which takes a second to import
    except ImportError:
        return MISSING
    logging.disable(logging.CRITICAL)  # their log lines contain the URL
    try:
        client = apprise.Apprise()
        if not client.add(url):
            return UNSUPPORTED
        is_sent = client.notify(title=title, body=body, body_format="text")
    except Exception as error:  # noqa: BLE001 - the error of a plugin may contain the URL
        return type(error).__name__
    return SENT if is_sent else REFUSED


if __name__ == "__main__":
    main()
