"""`hapair password`"""

import sys

import click

from hapair.admin import passwords

_SHORTEST = 8


@click.command("password")
def command() -> None:
    """Print a line for `admin.users` of the file: a password that was put through scrypt.

    It is asked for at the terminal, or read from a pipe, one line.
    """
    if sys.stdin.isatty():
        password = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    else:
        password = sys.stdin.readline().rstrip("\r\n")
    if len(password) < _SHORTEST:
        raise click.UsageError(f"a password has at least {_SHORTEST} characters")
    click.echo(str(passwords.make(password)))
