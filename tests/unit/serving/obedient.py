"""A child process for the tests: it does what its settings say.

The line on stdin is JSON: `note` (a file it writes its process id and settings to), `silent` (never says ready),
`code` (ends at once with it), `deaf` (ignores SIGTERM).
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path


def main() -> None:
    """Obey."""
    settings = json.loads(sys.stdin.readline())
    if settings.get("deaf"):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if "note" in settings:
        Path(settings["note"]).write_text(f"{os.getpid()} {os.environ.get('TESTED', '')}", encoding="utf-8")
    if "code" in settings:
        sys.exit(settings["code"])
    if not settings.get("silent"):
        sys.stdout.write("ready 1\n")
        sys.stdout.flush()
    sys.stdin.read()  # for as long as somebody looks after us


if __name__ == "__main__":
    main()
