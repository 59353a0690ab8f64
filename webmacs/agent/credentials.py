"""The controller's API token: given by the setting, or read from the file that the server writes at preparation."""

from pathlib import Path


class Credentials:
    """The bearer token. A file is read again after the server refused its token, so that a renewed one is picked up."""

    def __init__(self, token: str | None, file: Path) -> None:
        self._given = (token or "").strip()
        self._file = file
        self._current = self._given or self._read()

    @property
    def token(self) -> str:
        """The token to send; empty while there is none."""
        return self._current

    @property
    def source(self) -> str:
        """Where the token comes from, for messages; never the token itself."""
        return "WEBMACS_API_TOKEN" if self._given else str(self._file)

    def renew(self) -> bool:
        """Read the file again; True when it holds another, non-empty token than before."""
        if self._given:
            return False
        before, self._current = self._current, self._read()
        return bool(self._current) and self._current != before

    def _read(self) -> str:
        try:
            return self._file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError):
            return ""
