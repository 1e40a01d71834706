"""``lyrox`` and ``python -m bot``: hands the arguments to the command line."""

import sys

from bot.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
