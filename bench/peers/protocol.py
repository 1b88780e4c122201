"""How a peer talks to the bench: JSON lines.

On its start it prints one line `{"ready": {...}}` that describes it, or `{"skipped": "why"}`. For every line that it then
reads it does one step and prints `{"seconds": ..., "tokens": ..., "peakBytes": ...}`.
"""

import json
import os
import resource
import sys
import time

# Libraries write to the standard output as they please; the lines of the protocol go to what it was at the start.
_channel = os.fdopen(os.dup(1), "w", buffering=1)
os.dup2(2, 1)


def say(message):
    _channel.write(json.dumps(message) + "\n")
    _channel.flush()


def skip(reason):
    say({"skipped": reason})
    sys.exit(0)


def options():
    """The peer's only argument: a JSON object."""
    return json.loads(sys.argv[1])


def peak_bytes():
    """Largest resident memory of this process since its start."""
    try:
        with open("/proc/self/status") as status:
            for line in status:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return largest if sys.platform == "darwin" else largest * 1024


def serve(step, tokens, description):
    """Answers every line with one timed step. The caller has warmed it up."""
    say({"ready": description})
    for _ in sys.stdin:
        start = time.perf_counter()
        step()
        seconds = time.perf_counter() - start
        say({"seconds": seconds, "tokens": tokens, "peakBytes": peak_bytes()})
