"""Who wants to know nothing is told all the same."""

from balancer.relay.http_notes import Notes


def test_nothing_comes_of_it() -> None:
    notes = Notes()
    notes.note_first_byte()
    notes.note_attempt("pool", None, 0)
    notes.note_connected()
    notes.note_repeat()
    notes.note_end(ValueError())
    notes.finish()
    assert not hasattr(notes, "__dict__")
