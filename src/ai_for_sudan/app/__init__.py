"""The phone app, as it is built, and the small server that hands it to a browser on this machine."""

from ai_for_sudan.app.server import AppServer, built_app

__all__ = ["AppServer", "built_app"]
