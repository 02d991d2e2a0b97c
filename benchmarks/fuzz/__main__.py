"""``python -m benchmarks.fuzz``, from the top of the repository."""

import sys

from .run import main

if __name__ == "__main__":
    sys.exit(main())
