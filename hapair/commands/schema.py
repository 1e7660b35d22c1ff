"""`hapair schema`"""

import json

import click

from hapair.config.load import json_schema


@click.command("schema")
def command() -> None:
    """Print the JSON Schema of hapair.yaml, for an editor's completion."""
    click.echo(json.dumps(json_schema(), indent=2))
