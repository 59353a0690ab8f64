"""`webmacs` and `python -m webmacs`: the command over the real application."""

from typing import Any

from webmacs.cli import build
from webmacs.settings import Settings


def _create_app(settings: Settings) -> Any:
    from webmacs.factory import create_app  # only when a command needs it: the supervisor and the agent stay small

    return create_app(settings)


def _create_server(app: Any) -> Any:
    from webmacs.asgi import Server  # only when a command needs it

    return Server(app)


def main() -> None:
    """Run the command."""
    build(_create_app, _create_server)()


if __name__ == "__main__":
    main()
