"""python tests/laws: hold the laws on thousands of odd files, or on copies of real ones."""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).parents[1])
    from laws.command import main

    main()
