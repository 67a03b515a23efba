"""``python -m coderouter_core`` is the ``coderouter`` command."""

from coderouter_core.cli import main

if __name__ == "__main__":
    main()
