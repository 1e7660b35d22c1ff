import errno

import pytest

from vrrp.liveness.ports import LostCause, cause_of


def test_what_errors_mean():
    assert cause_of(OSError(errno.ECONNRESET, "")) is LostCause.DIED
    assert cause_of(OSError(errno.EPIPE, "")) is LostCause.DIED
    assert cause_of(OSError(errno.ETIMEDOUT, "")) is LostCause.ENDED
    assert cause_of(OSError(errno.ENOPROTOOPT, "by ICMP")) is LostCause.ENDED
    with pytest.raises(OSError, match="a bug"):
        cause_of(OSError(errno.EBADF, "a bug"))
