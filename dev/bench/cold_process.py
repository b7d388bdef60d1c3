"""One cold start, measured by the very process; it sees a bundle and the standard library, and nothing else.

python -I -S -B cold_process.py BUNDLE HANDLER      reads the event as JSON, prints milliseconds of CPU:
                                                    of importing and of the first call
"""

from __future__ import annotations

import importlib
import json
import sys
import time


def main() -> None:
    """Import the handler and call it with the event."""
    bundle, handler = sys.argv[1:]
    event = json.load(sys.stdin)
    sys.path.insert(0, bundle)
    module, _, name = handler.partition(".")
    began = time.process_time()
    function = getattr(importlib.import_module(module), name)
    imported = time.process_time()
    answer = function(event, None)
    answered = time.process_time()
    assert answer.get("statusCode", 200) < 300, answer
    assert not answer.get("batchItemFailures"), answer
    print((imported - began) * 1000, (answered - imported) * 1000)


if __name__ == "__main__":
    main()
