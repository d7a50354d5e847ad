"""`python -m gateway` is the command `kluis`."""

import sys

from gateway.cli.main import run


def main() -> None:
    """Run the command on this process's arguments and leave with its exit code."""
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
