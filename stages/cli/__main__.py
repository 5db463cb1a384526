"""`python -m stages.cli`."""

import sys

from stages.cli import main

sys.exit(main())
