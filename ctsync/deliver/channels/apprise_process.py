"""The process that sends one message with apprise. Run as a program; imports nothing from ctsync.

apprise has no time limit for a complete message, and lets requests read ~/.netrc. A separate
process can be killed, and its environment does not name that file.

Reads a JSON object from stdin: url, title, body and the seconds after which the process ends.
Exits with one of the codes below. Writes no error, because it may contain the URL.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import threading

SENT, FAILED, MISSING, UNSUPPORTED, REFUSED = 0, 1, 3, 4, 5


def main() -> int:
    """Send the message given on stdin, and return the exit code."""
    given = json.load(sys.stdin)
    # without a limit, a slow server would keep this process alive after its parent has died
    limit = threading.Timer(given["seconds"], os._exit, (FAILED,))
    limit.daemon = True
    limit.start()
    try:
        import apprise  # noqa: PLC0415 - an optional package, which takes a second to import
    except ImportError:
        return MISSING
    logging.disable(logging.CRITICAL)  # the log lines of apprise contain the URL
    client = apprise.Apprise()
    if not client.add(given["url"]):
        return UNSUPPORTED
    if "overflow=" not in given["url"]:
        # apprise sends a text of any length by default, which the service then refuses each time
        for service in client:
            service.overflow_mode = apprise.OverflowMode.SPLIT
    is_sent = client.notify(title=given["title"], body=given["body"], body_format="text")
    return SENT if is_sent else REFUSED


if __name__ == "__main__":
    sys.exit(main())
