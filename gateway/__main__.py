"""`python -m gateway` is the command `kluis`."""

import sys

from gateway.cli.main import run
from gateway.process import leave_no_core


def main() -> None:
    """Run the command on this process's arguments and leave with its exit code."""
    leave_no_core()  # a command has a passphrase, or a token
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
