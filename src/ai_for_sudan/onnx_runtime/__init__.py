"""The one door to ONNX Runtime: every import of it in this project goes through here, so that it never reports home.

The released wheels look up a collector's address and keep a device identifier and a store of events in the user's cache
folder as soon as a session is made. `disable_telemetry_events()` comes too late for that; the environment variable
below, set before the import, is heard in time. A linter rule forbids the direct import everywhere else.
"""

from __future__ import annotations

import os

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

from onnxruntime import InferenceSession, RunOptions, SessionOptions, __version__

__all__ = ["InferenceSession", "RunOptions", "SessionOptions", "__version__"]
