"""Numbers the starts of an announcer, so that nothing signed by an earlier one passes for new. The seam to the date."""

import errno
import logging
import os
import time
from pathlib import Path

log = logging.getLogger(__name__)

FILE = "epoch"


def next_epoch(folder: Path) -> int:
    """Seconds since 1970, or one more than the last time where the clock was set back. Remembered in `folder`.

    Where nothing can be remembered there, the clock alone must do: a peer whose liveness link is up accepts any.
    """
    path = folder / FILE
    epoch = max(int(time.time()), _last(path) + 1)
    try:
        fresh = path.with_suffix(".new")
        fresh.write_text(f"{epoch}\n")
        os.replace(fresh, path)
    except OSError as error:
        if error.errno not in (errno.EACCES, errno.EROFS, errno.ENOSPC, errno.ENOENT, errno.EDQUOT):
            raise
        log.warning("epoch not remembered", extra={"path": path, "detail": error.strerror})
    return epoch


def _last(path: Path) -> int:
    try:
        text = path.read_text().strip()
    except (FileNotFoundError, PermissionError):
        return 0
    return int(text) if text.isascii() and text.isdigit() and len(text) < 18 else 0
