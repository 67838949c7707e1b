"""The loop as a Ray job.

    ray job submit --working-dir . -- python ray_jobs/self_train.py configs/tiny.yaml --run-dir /data/runs/tiny

Takes the arguments of `mmst run`. Without --run-dir the run goes to $MMST_RUNS/<name>, by default ~/mmst-runs/<name>,
since Ray deletes a job's working directory.
"""

import itertools
import os
import sys
from pathlib import Path

from mmst.cli import main
from mmst.config.file import load_config


def with_run_dir(arguments: list[str]) -> list[str]:
    """The arguments, with a run directory outside the working directory if they name none."""
    if any(argument.split("=")[0] in ("--run-dir", "--dry-run", "--help") for argument in arguments):
        return arguments
    settings = [value for flag, value in itertools.pairwise(arguments) if flag == "--set"]
    config = next((a for a in arguments if a.endswith((".yaml", ".yml"))), None)
    if config is None:
        return arguments
    runs = Path(os.environ.get("MMST_RUNS", "~/mmst-runs")).expanduser()
    return [*arguments, "--run-dir", str(runs / load_config(config, settings).name)]


if __name__ == "__main__":
    sys.argv[1:] = ["run", *with_run_dir(sys.argv[1:])]
    main()
