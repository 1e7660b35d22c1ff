import pytest

from balancer.checks.agent_words import AgentWords, parse_words


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"up", AgentWords(health="up", text="up")),
        (b"DOWN", AgentWords(health="down", text="down")),
        (b"stopped", AgentWords(health="down", text="stopped")),
        (b"fail", AgentWords(health="down", text="fail")),
        (b"75%", AgentWords(percent=75)),
        (b"weight:200", AgentWords(weight=200)),
        (b"weight:50%", AgentWords(percent=50)),
        (b"maxconn:30", AgentWords(max_connections=30)),
        (b"ready,up\t75% maxconn:0", AgentWords("up", "ready", None, 75, 0, "up")),
        (b"drain", AgentWords(admin="drain")),
        (b"up down", AgentWords(health="down", text="down")),
        (b"maint ready", AgentWords(admin="ready")),
        (b"weight:9 50%", AgentWords(percent=50)),
        (b"down #disk full, sorry", AgentWords(health="down", text="down disk full, sorry")),
        (b"down nonsense", AgentWords(health="down", text="down")),
        (b"up #a\xff\x1b[2J", AgentWords(health="up", text="up a\ufffd [2J")),
    ],
)
def test_words(line: bytes, words: AgentWords) -> None:
    assert parse_words(line) == words


@pytest.mark.parametrize("line", [b"", b"   ", b"nonsens", b"down#x", b"#down", b"75", b"-5%", b"weight:"])
def test_no_word_that_is_known(line: bytes) -> None:
    """`down#x` is one unknown word, as it is for HAProxy."""
    assert parse_words(line) is None
