"""`hapair schema` prints JSON."""

import json

from click.testing import CliRunner

from hapair.commands.schema import command


def test_the_schema_is_json_with_a_title() -> None:
    result = CliRunner().invoke(command)
    assert result.exit_code == 0
    document = json.loads(result.stdout)
    assert document["title"] == "hapair.yaml"
    assert document["additionalProperties"] is False
