"""All the side-by-side figures: `make bench`, or `python -m benchmarks engine sandbox` for some of them.

Each benchmark prints a table and JSON lines, and measures what it is compared with in the same run.
"""

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
NAMES = ("answers", "sandbox", "equations", "memory", "engine", "training", "dashboard", "watched", "loop")


def main(wanted: list[str]) -> int:
    """Run the benchmarks one after the other; returns how many failed."""
    if unknown := set(wanted) - set(NAMES):
        print(f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}", file=sys.stderr)
        return 2
    failed = 0
    for name in wanted or NAMES:
        print(f"== {name}", flush=True)
        failed += subprocess.run([sys.executable, str(HERE / f"{name}.py")], check=False).returncode != 0
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
