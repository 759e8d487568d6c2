"""What the bundle's executable runs: Palimpsest, or with ``worker`` the process that its model has."""

import multiprocessing
import sys

if __name__ == "__main__":
    multiprocessing.freeze_support()
    if sys.argv[1:2] == ["worker"]:
        from palimpsest.engine.worker import work

        work(sys.argv[2:])
    else:
        from palimpsest.app.main import main

        sys.exit(main())
