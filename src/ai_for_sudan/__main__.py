"""``python -m ai_for_sudan``: the command ``ai-for-sudan`` where scripts are not on the path."""

from ai_for_sudan.cli import program

program()
