"""``ai-for-sudan app``: open the phone app on this machine."""

from __future__ import annotations

import argparse
import sys
import webbrowser
from pathlib import Path

from ai_for_sudan.app import AppServer, built_app
from ai_for_sudan.cli import DISCLAIMER
from ai_for_sudan.errors import UserError

LOOPBACK = ("127.0.0.1", "localhost", "::1")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("--port", type=int, default=8765, help="0 picks a free one (default: %(default)s)")
    parser.add_argument("--host", default="127.0.0.1", help="address to serve at (default: this machine only)")
    parser.add_argument("--certificate", type=Path, help="PEM file of a certificate, to serve HTTPS")
    parser.add_argument("--key", type=Path, help="PEM file of its key")
    parser.add_argument("--no-browser", action="store_true", help="do not open a browser")


def run(args: argparse.Namespace) -> int:
    """Run the command and return its exit code."""
    if (args.certificate is None) != (args.key is None):
        raise UserError("--certificate and --key belong together: give both or neither")
    certificate = (args.certificate, args.key) if args.certificate else None
    with AppServer(built_app(), args.host, args.port, certificate) as server:
        print(f"The app is at {server.address} (Ctrl+C ends it). {DISCLAIMER}", flush=True)
        if args.host not in LOOPBACK:
            reached = " or ".join(server.addresses)
            print(f"Phones open {reached}" if reached else "This machine is not in a network that a phone can reach.")
        if args.host not in LOOPBACK and not certificate:
            print(
                "Phones that open it over plain HTTP can read films but cannot keep the app for work without network, "
                "nor lock it: see docs/app.md for --certificate and --key.",
                flush=True,
            )
        sys.stdout.flush()
        if not args.no_browser:
            webbrowser.open(server.address)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print("\nThe app is closed.")
    return 0
