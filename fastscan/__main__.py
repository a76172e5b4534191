"""The command `fastscan` from its first moment: signals are answered before anything else is imported."""

import os


def main() -> None:
    """Run a command; see `fastscan.commands.cli.main`."""
    try:
        from fastscan.commands import signals

        signals.answer()
    except KeyboardInterrupt:  # Python's own answer, which stands until ours does
        os.write(2, b"fastscan: interrupted\n")
        os._exit(130)
    from fastscan.commands import cli

    cli.main()


if __name__ == "__main__":
    main()
