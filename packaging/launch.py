"""What the bundle's executable runs."""

import multiprocessing
import sys

from palimpsest.app.main import main

if __name__ == "__main__":
    multiprocessing.freeze_support()
    sys.exit(main())
