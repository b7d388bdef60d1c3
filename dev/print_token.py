"""``make token``: a token of the simulated cloud's owner ``demo``, for curl."""

from __future__ import annotations

import os
import sys

import requests

from dev.simulated import token_of


def main() -> int:
    """Print a token, or say that the simulated cloud is not running."""
    port = int(os.environ.get("PORT", "8000")) + 2
    try:
        print(token_of(f"http://127.0.0.1:{port}/v3", "demo"))
    except requests.ConnectionError:
        print(f"No simulated cloud runs on port {port}: start it with `make run`.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
