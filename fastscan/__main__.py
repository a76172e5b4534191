"""``python -m fastscan`` is the command ``fastscan``."""

from fastscan.commands.cli import main

if __name__ == "__main__":
    main()
