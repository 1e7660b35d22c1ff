"""Both sides of each conversation, byte by byte."""

import pytest

from balancer.checks.exchanges import Exchange, Passed, Unhealthy, conversation, mysql, postgres, redis, smtp
from balancer.config_checks import CheckStep


def play(exchange: Exchange, *answers: bytes) -> tuple[Passed, list[bytes]]:
    """What came of it, and what was sent before each answer."""
    sent = [next(exchange)]
    try:
        for answer in answers:
            sent.append(exchange.send(answer))
    except StopIteration as done:
        return done.value, sent
    raise AssertionError(f"it waits for more, after {sent}")


def reason_of(exchange: Exchange, *answers: bytes) -> str:
    with pytest.raises(Unhealthy) as caught:
        play(exchange, *answers)
    return str(caught.value)


def test_redis() -> None:
    assert play(redis(), b"+PONG\r\n") == (Passed("PONG"), [b"*1\r\n$4\r\nPING\r\n"])
    assert play(redis(), b"+PO", b"NG\r\n")[0] == Passed("PONG")
    assert play(redis(), b"-NOAUTH Authentication required.\r\n")[0] == Passed("asks for a password")
    assert reason_of(redis(), b"-LOADING Redis is loading\r\n") == "LOADING Redis is loading"
    assert reason_of(redis(), b"HTTP/1.1 400 Bad Request\r\n") == "HTTP/1.1 400 Bad Request"
    assert reason_of(redis(), b"+PO", b"") == "connection closed before the end of the answer"
    assert reason_of(redis(), *[b"x" * 16_384] * 5) == "answer larger than 64 KiB"


def test_postgres() -> None:
    startup = b"\0\0\0\x15\0\3\0\0user\0hapair\0\0"
    asks = b"R\0\0\0\x0c\0\0\0\5salt"
    assert play(postgres("hapair"), asks) == (Passed("answers", b"X\0\0\0\4"), [startup])
    error = b"E\0\0\0\x2bSFATAL\0C57P03\0Mthe database is starting\0\0"
    assert reason_of(postgres("hapair"), error[:9], error[9:]) == "the database is starting"
    assert reason_of(postgres("hapair"), b"HTTP/1.1 400") == "not a PostgreSQL server"
    assert reason_of(postgres("hapair"), b"E\xff\xff\xff\xff") == "not a PostgreSQL server"
    assert reason_of(postgres("hapair"), b"") == "connection closed before the end of the answer"


GREETING = b"\x0a8.0.36\0" + b"\x07\0\0\0salt1234\0" + b"\xff\xf7\x21\2\0" + bytes(30)


def packet(body: bytes, number: int = 0) -> bytes:
    return len(body).to_bytes(3, "little") + bytes([number]) + body


def test_mysql_greeting() -> None:
    assert play(mysql(None), packet(GREETING)) == (Passed("8.0.36"), [b""])
    assert play(mysql(None), packet(GREETING)[:3], packet(GREETING)[3:])[0] == Passed("8.0.36")
    assert reason_of(mysql(None), packet(b"\xff\x69\x04Host is blocked")) == "Host is blocked"
    assert reason_of(mysql(None), b"HTTP/1.1 400 Bad Request\r\n\r\n" * 999) == "not a MySQL server"
    assert reason_of(mysql(None), packet(b"\x09old")) == "not a MySQL server"


def test_mysql_login() -> None:
    result, sent = play(mysql("hapair"), packet(GREETING), packet(b"\0\0\0\2\0\0\0", 2))
    assert result == Passed("8.0.36", b"\1\0\0\0\1")
    login = b"\0\x82\x08\0\0\0\0\1!" + bytes(23) + b"hapair\0\0mysql_native_password\0"
    assert sent == [b"", packet(login, 1)]
    assert play(mysql("hapair"), packet(GREETING), packet(b"\xfemysql_native_password\0x", 2))[0].reason == "8.0.36"
    denied = packet(b"\xff\x15\x04#28000Access denied for user", 2)
    assert reason_of(mysql("hapair"), packet(GREETING), denied) == "Access denied for user"


def test_smtp() -> None:
    result, sent = play(smtp("lb.example.org"), b"220 mail ESMTP\r\n", b"250-mail\r\n250-SIZE\r\n", b"250 HELP\r\n")
    assert result == Passed("250 to hello", b"QUIT\r\n")
    assert sent == [b"", b"EHLO lb.example.org\r\n", b""]
    assert reason_of(smtp("x"), b"554 no service\r\n") == "554 no service"
    assert reason_of(smtp("x"), b"220-one\r\n220 two\r\n", b"421 too busy\r\n") == "421 too busy"
    assert reason_of(smtp("x"), b"SSH-2.0-x\r\n") == "SSH-2.0-x"


def test_smtp_of_an_old_server() -> None:
    result, sent = play(smtp("x"), b"220 a\r\n", b"502 what?\r\n", b"250 b\r\n")
    assert result == Passed("250 to hello", b"QUIT\r\n")
    assert sent == [b"", b"EHLO x\r\n", b"HELO x\r\n"]


def test_a_conversation() -> None:
    steps = (
        CheckStep(expect="220"),
        CheckStep(send="A\r\n", expect="yes"),
        CheckStep(expect_regex="[0-9]+"),
        CheckStep(send_hex="00"),
        CheckStep(send="B", expect="done"),
        CheckStep(send="bye"),
    )
    result, sent = play(conversation(steps), b"22", b"0 hello", b"ye", b"s, ", b"42", b"done")
    assert result == Passed("6 steps done", b"bye")
    assert sent == [b"", b"", b"A\r\n", b"", b"", b"\0B"]


def test_what_came_at_once_is_enough_for_several_steps() -> None:
    steps = (CheckStep(send="x", expect="one"), CheckStep(expect="two"))
    assert play(conversation(steps), b"one two")[0] == Passed("2 steps done")
    assert reason_of(conversation(steps), b"two one", b"") == ("step 2: connection closed before the end of the answer")


def test_a_conversation_says_which_step_failed_and_after_what() -> None:
    steps = (CheckStep(expect="220"), CheckStep(send="A", expect="yes"))
    assert reason_of(conversation(steps), b"220", b"no\0way", b"") == (
        "step 2: connection closed before the end of the answer, after no way"
    )
