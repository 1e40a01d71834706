"""The keeper's process: ``python -m bot.embedded ROOT FD``, started by `bot.embedded.client`."""

import sys
from pathlib import Path

from bot.embedded.keeper import main

if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
