"""Log lines: a phrase and its fields, on stderr; journald's priorities where it listens."""

import json
import logging
import math
import os
import sys
from datetime import UTC, datetime

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_LEVEL, _FORMAT = "HAPAIR_LOG_LEVEL", "HAPAIR_LOG_FORMAT"
_PRIORITY = {logging.DEBUG: 7, logging.INFO: 6, logging.WARNING: 4, logging.ERROR: 3, logging.CRITICAL: 2}


class LineFormatter(logging.Formatter):
    """`10:03:07.120 info announcer: vip claimed vip=192.0.2.100 vrid=51`"""

    def __init__(self, process: str, *, journal: bool) -> None:
        super().__init__()
        self._process = process
        self._journal = journal

    def format(self, record: logging.LogRecord) -> str:
        """One line, and a traceback below it where there is one."""
        fields = "".join(f" {key}={_quoted(value)}" for key, value in vars(record).items() if key not in _STANDARD)
        head = f"<{_PRIORITY.get(record.levelno, 6)}>" if self._journal else self._stamp(record)
        line = f"{head}{self._process}: {record.getMessage()}{fields}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line

    def _stamp(self, record: logging.LogRecord) -> str:
        clock = self.formatTime(record, "%H:%M:%S")
        return f"{clock}.{int(record.msecs):03d} {record.levelname.lower()} "


class JsonFormatter(logging.Formatter):
    """`{"time":"2026-01-31T10:03:07.120+00:00","level":"info","process":"announcer","message":"vip claimed",...}`"""

    def __init__(self, process: str, *, journal: bool) -> None:
        super().__init__()
        self._process = process
        self._journal = journal

    def format(self, record: logging.LogRecord) -> str:
        """One line, whatever is in it. A field that is called like one of ours has `_` behind its name."""
        own: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "process": self._process,
            "message": record.getMessage(),
        }
        fields = {key: value for key, value in vars(record).items() if key not in _STANDARD}
        plain = own | {f"{key}_" if key in own else key: _plain(value) for key, value in fields.items()}
        if record.exc_info:
            plain["exception"] = self.formatException(record.exc_info)
        head = f"<{_PRIORITY.get(record.levelno, 6)}>" if self._journal else ""
        return head + json.dumps(plain, separators=(",", ":"))


def _plain(value: object) -> object:
    return value if value is None or isinstance(value, (bool, int, str)) or _is_finite(value) else str(value)


def _is_finite(value: object) -> bool:
    return isinstance(value, float) and math.isfinite(value)


def _quoted(value: object) -> str:
    text = str(value)
    return repr(text) if not text or not text.isprintable() or any(char in text for char in ' "=') else text


def choose(level: str, format: str) -> None:
    """Of this process and those that it starts: `INFO`; `text` or `json`."""
    os.environ[_LEVEL], os.environ[_FORMAT] = level, format


def set_up(process: str) -> None:
    """Log lines of this process go to stderr, as was chosen in the one that started it."""
    handler = logging.StreamHandler(sys.stderr)
    formatter = JsonFormatter if os.environ.get(_FORMAT) == "json" else LineFormatter
    handler.setFormatter(formatter(process, journal="JOURNAL_STREAM" in os.environ))
    logging.basicConfig(level=os.environ.get(_LEVEL, "INFO"), handlers=[handler], force=True)
