from balancer.http2.errors import ErrorCode, Reason, Violation


def test_codes_are_those_of_the_rfc():
    assert (ErrorCode.NO_ERROR, ErrorCode.FLOW_CONTROL_ERROR, ErrorCode.HTTP_1_1_REQUIRED) == (0, 3, 13)
    assert len(ErrorCode) == 14


def test_every_reason_has_a_text_of_its_own():
    assert len({reason.text for reason in Reason}) == len(Reason.__members__) == len(list(Reason))


def test_a_violation_says_why_and_of_what():
    violation = Violation(Reason.PATH, 7)
    assert (str(violation), violation.reason.code, violation.stream_id) == ("malformed :path", 1, 7)
