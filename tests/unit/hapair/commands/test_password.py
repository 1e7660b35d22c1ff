"""`hapair password`"""

from click.testing import CliRunner

from hapair.admin.passwords import matches
from hapair.commands.password import command
from hapair.config.admin import ScryptHash


def test_what_it_prints_is_for_the_file() -> None:
    result = CliRunner().invoke(command, input="correct horse\n")
    assert result.exit_code == 0
    assert matches(b"correct horse", ScryptHash.parse(result.output.strip()))


def test_a_short_password_is_none() -> None:
    result = CliRunner().invoke(command, input="short\n")
    assert result.exit_code == 2
    assert "a password has at least 8 characters" in result.output
