"""How a problem is said, and in which order."""

from hapair.config.errors import ConfigError, Position, Problem, nearest


def test_a_problem_says_file_line_column_path_and_rule() -> None:
    problem = Problem(Position(12, 5), "pools.web.retires", "unknown key; did you mean retries?")
    assert problem.render("hapair.yaml") == "hapair.yaml:12:5: pools.web.retires: unknown key; did you mean retries?"


def test_a_problem_of_the_whole_file_has_no_path() -> None:
    assert (
        Problem(Position(1, 1), "", "is not UTF-8 text").render("/etc/x.yaml") == "/etc/x.yaml:1:1: is not UTF-8 text"
    )


def test_a_problem_is_one_line_whatever_the_names_in_the_file_are() -> None:
    problem = Problem(Position(1, 1), "pools.a\nb", "there is no pool \x1b[31m\u2028x")
    assert problem.render("f") == "f:1:1: pools.a\\nb: there is no pool \\x1b[31m\\u2028x"


def test_problems_come_in_the_order_of_the_file_and_each_once() -> None:
    late = Problem(Position(10, 2), "b", "is missing")
    same_line = Problem(Position(2, 9), "a.y", "is missing")
    early = Problem(Position(2, 3), "a.x", "is missing")
    error = ConfigError("f.yaml", [late, same_line, early, late])
    assert str(error) == "f.yaml:2:3: a.x: is missing\nf.yaml:2:9: a.y: is missing\nf.yaml:10:2: b: is missing"
    assert error.problems == [early, same_line, late]
    assert error.file == "f.yaml"


def test_nearest_names_the_nearest() -> None:
    assert nearest("wieght", ["address", "weight", "backup"]) == "; did you mean weight?"


def test_nearest_names_all_where_none_is_near() -> None:
    assert nearest("zzz", ["b", "a", "b"]) == "; valid here: a, b"


def test_nearest_says_nothing_where_nothing_is_valid() -> None:
    assert nearest("zzz", []) == ""


def test_nearest_knows_what_others_call_a_key() -> None:
    assert nearest("virtual_router_id", ["vrid", "interface"]) == "; did you mean vrid?"
    assert nearest("default_backend", ["pool", "listen"]) == "; did you mean pool?"
