"""The grammar of HTTP/1.1 heads and chunk lines as compiled regular expressions over bytes. Pure.

Repetitions are possessive (`++`, `*+`): they never backtrack, so that hostile input costs no more than its length.
Stricter than RFC 9112 where leniency was used for smuggling: no bare LF, no folding, no white space before a colon.
"""

import re

TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]++"
VALUE = rb"[\t\x20-\x7e\x80-\xff]*+"
FIELD_LINE = TOKEN + rb":" + VALUE + rb"\r\n"
REQUEST_LINE = rb"(" + TOKEN + rb') ([!"$-~]++) HTTP/1\.([0-9])\r\n'
STATUS_LINE = rb"HTTP/1\.([0-9]) (([1-5][0-9]{2})(?: " + VALUE + rb")?+)\r\n"

# RFC 9112 section 2.2: one empty line ahead of a request is ignored, old clients send it after a body.
REQUEST_HEAD = re.compile(rb"(?:\r\n)?+" + REQUEST_LINE + rb"(?:" + FIELD_LINE + rb")*+\r\n")
RESPONSE_HEAD = re.compile(STATUS_LINE + rb"(?:" + FIELD_LINE + rb")*+\r\n")

# For what is not a whole valid head: to tell a malformed one from one that is still arriving, and to say why.
REQUEST_LINES = re.compile(REQUEST_LINE + rb"(?:" + FIELD_LINE + rb")*+")
RESPONSE_LINES = re.compile(STATUS_LINE + rb"(?:" + FIELD_LINE + rb")*+")
TOKENS = re.compile(TOKEN)
ANY_REQUEST_LINE = re.compile(TOKEN + rb" ([!-~]++) HTTP/([0-9])\.([0-9])\r\n")
ONE_STATUS_LINE = re.compile(STATUS_LINE)
ONE_FIELD_LINE = re.compile(FIELD_LINE)
FIELD_NAME = re.compile(TOKEN + rb":")
FIELD_LINES = re.compile(rb"(?:" + FIELD_LINE + rb")*+")
TRAILER_SECTION = re.compile(rb"((?:" + FIELD_LINE + rb")*+)\r\n")

# Unreserved characters only: sub-delimiters are allowed by RFC 3986, sent by nobody, and read differently by servers.
# No name is longer than 255 characters (RFC 1035 section 2.3.4, RFC 3986 section 3.2.2).
AUTHORITY = rb"(?:[A-Za-z0-9._~\-]{1,255}+|\[[0-9A-Fa-f:.]++\])(?::[0-9]{0,5}+)?+"
HOST = re.compile(AUTHORITY)
ABSOLUTE_FORM = re.compile(rb"(?i:https?)://(" + AUTHORITY + rb")(/[^#]*+|\?[^#]*+)?+")

DIGITS = re.compile(rb"[0-9]++")
CONNECTION_OPTIONS = re.compile(rb"[ \t]*+(?:" + TOKEN + rb")?+[ \t]*+(?:,[ \t]*+(?:" + TOKEN + rb")?+[ \t]*+)*+")

CHUNK_LINE = re.compile(rb"([0-9A-Fa-f]{1,16}+)(;" + VALUE + rb")?+\r\n")
