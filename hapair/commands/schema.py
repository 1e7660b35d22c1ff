"""`hapair schema`"""

import json

import click

from hapair.config.load import json_schema
from hapair.config.output_schema import event_schema, status_schema


@click.command("schema")
@click.option("--of", "of", type=click.Choice(["file", "status", "event"]), default="file", show_default=True)
def command(of: str) -> None:
    """Print a JSON Schema: of hapair.yaml, for an editor; of what status and events print with --json."""
    schema = {"file": json_schema, "status": status_schema, "event": event_schema}[of]()
    click.echo(json.dumps(schema, indent=2))
