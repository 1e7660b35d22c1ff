"""`python -m hapair` is the command line."""

from hapair.cli import main

main()
