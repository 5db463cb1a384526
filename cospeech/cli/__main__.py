"""Run `python -m cospeech.cli`."""

import sys

from cospeech.cli import main

sys.exit(main())
