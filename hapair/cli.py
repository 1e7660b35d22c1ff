"""The command line. Each verb is a module of hapair.commands, imported when it is asked for."""

import importlib

import click

_COMMANDS = {
    "capture": "Show adverts, ARP and neighbour discovery on an interface, explained.",
    "check": "Check a file; say everything that is wrong with it.",
    "demo": "Two nodes, a client and three servers on this machine: kill one and watch.",
    "doctor": "Look for what is in the way of the kernel plane on this machine.",
    "events": "Show what happened on this node, and why.",
    "frontend": "Have a frontend listen no more, or again, or limit it.",
    "handover": "Let the other node take over the virtual IP addresses.",
    "init": "Make the secret that the nodes of a pair share.",
    "maintenance": "Take this node out of the pair, or back into it.",
    "password": "Print a password as the file holds it.",
    "preempt": "Let this node take back what it handed over or gave up, as its file says.",
    "release": "Remove the virtual IP addresses that a dead hapair left on this machine.",
    "reload": "Have the node on this machine go on with its file as it is now.",
    "schema": "Print the JSON Schema of the file, for editors.",
    "server": "Take a server out of service, or back; add one to a pool, or remove it.",
    "status": "Show what the node on this machine does.",
    "up": "Run this node.",
}


class _Verbs(click.Group):
    """Imports a verb's module only when that verb is used, so that `status` does not pay for `demo`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"hapair.commands.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(sorted(_COMMANDS.items()))


@click.group(cls=_Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="hapair", version=importlib.import_module("hapair").__version__)
def main() -> None:
    """A load balancer and its virtual IP addresses on two machines, from one file.

    Exit status: 0 done, 1 failed, 2 wrong usage, 3 not running, 78 a file that does not hold together.
    """
