"""``python -m bisenet``."""

import sys

from bisenet.cli.main import main

sys.exit(main())
