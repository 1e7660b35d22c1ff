"""What is sent of an event."""

import json

from hapair.notifications.body import body_of, environment_of, signature_of, text_of
from tests.unit.hapair.events.samples import event

DOWN = event(7, "server", words="web/web1 is DOWN", reason="refused", by="", severity="warning", details={"up": False})


def test_a_webhook_gets_json_with_a_text_for_people() -> None:
    assert json.loads(body_of(DOWN)) == {
        "version": 1, "text": "pi-a: web/web1 is DOWN (refused)", "id": 7, "at": 1000007.0, "node": "pi-a",
        "kind": "server", "severity": "warning", "subject": "web/web1", "words": "web/web1 is DOWN",
        "reason": "refused", "by": "", "details": {"up": False},
    }  # fmt: skip
    assert text_of(event(1, words="it is DRAIN", by="anna")) == "pi-a: it is DRAIN by anna"


def test_the_signature_is_one_that_others_can_make() -> None:
    # printf '{}' | openssl dgst -sha256 -hmac secret
    signature = "sha256=77325902caca812dc259733aacd046b73817372c777b8d95b402647474516e13"
    assert signature_of(b"{}", b"secret") == signature


def test_a_command_gets_its_environment() -> None:
    environment = environment_of(DOWN)
    assert json.loads(environment.pop("HAPAIR_EVENT"))["id"] == 7
    assert environment == {
        "HAPAIR_NODE": "pi-a", "HAPAIR_KIND": "server", "HAPAIR_SEVERITY": "warning", "HAPAIR_SUBJECT": "web/web1",
        "HAPAIR_WORDS": "web/web1 is DOWN", "HAPAIR_REASON": "refused", "HAPAIR_BY": "", "HAPAIR_AT": "1000007.000",
    }  # fmt: skip
