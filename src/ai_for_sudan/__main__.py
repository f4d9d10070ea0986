"""``python -m ai_for_sudan``: the command ``ai-for-sudan`` where scripts are not on the path."""

import sys

from ai_for_sudan.cli import main

sys.exit(main())
