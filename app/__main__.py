import sys

from palimpsest.app.main import main

sys.exit(main())
