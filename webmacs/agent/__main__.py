"""`python -m webmacs.agent`: the controller alone, configured by the environment."""

import os
import sys

from webmacs.agent.main import CONFIGURATION_ERROR, run
from webmacs.settings import Settings, SettingsError


def main() -> int:
    """Read the settings and run; returns the exit code."""
    try:
        settings = Settings.from_environment(os.environ)
    except SettingsError as failed:
        sys.stderr.write(f"webmacs agent: {failed}\n")
        return CONFIGURATION_ERROR
    return run(settings)


if __name__ == "__main__":
    sys.exit(main())
