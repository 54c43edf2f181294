"""`python -m adapters`: run the adapters of a settings file. `allocator serve` starts this as a child."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from adapters.runner import EXIT_SETTINGS, run
from allocator.config import SettingsError, load_settings
from allocator.logs import configure_logs


def main() -> int:
    """Run the adapters; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m adapters", description="Run the adapters of a settings file.")
    parser.add_argument("--settings", type=Path, help="TOML file; without it the environment tells all")
    parser.add_argument("--overrides", type=json.loads, default={}, help="settings that win, as JSON by section")
    parser.add_argument("--address", required=True, help="of the service, host:port")
    parser.add_argument("--parent", type=int, default=0, help="stop when this process, our parent, is gone")
    arguments = parser.parse_args()
    try:
        settings = load_settings(arguments.settings, arguments.overrides)
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_SETTINGS
    configure_logs(settings.log.level, settings.log.format, process="adapters")
    return run(settings, arguments.address, parent_pid=arguments.parent)


if __name__ == "__main__":
    sys.exit(main())
