"""Self-train a model on your own problems and print what every round gained.

The problems are a JSONL file with `question` and `answer` on each line; the model is a Hugging Face directory or a hub
id. Dev and test problems are cut from the file.

    python examples/self_train_on_your_file.py problems.jsonl --model Qwen/Qwen2.5-0.5B --gpu

With --demo the script writes the file itself and trains a tiny model from scratch, in about 2 minutes on 2 CPU cores:

    python examples/self_train_on_your_file.py demo.jsonl --demo

The same command resumes an interrupted run.
"""

import argparse
import itertools
import json
import random
from pathlib import Path

import mmst

PRETRAINED = {
    "round0": {"enabled": False},  # the model can already solve some of the problems
    "rounds": {"max": 3},
    "sampling": {"k": 4, "max_tokens": 320},
    "training": {"batch": 64, "schedule": {"epochs": 2, "learning_rate": 1e-5}},
}
ON_ONE_GPU = {"engine": {"gpus": 1}, "cluster": {"train_gpus": 1, "placement": "shared"}}
FROM_SCRATCH = {
    "model": {"scratch": {"width": 64, "layers": 2, "heads": 2, "context": 128}},
    "round0": {
        "tasks": {name: {"limit": 100} for name in ("cot", "pot", "pot->cot", "cot->pot")},
        "schedule": {"steps": 150, "learning_rate": 5e-3},
    },
    "rounds": {"max": 1},
    "sampling": {"k": 1, "max_tokens": 64},
    "training": {"batch": 32, "schedule": {"steps": 100, "learning_rate": 1e-3}},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("problems", type=Path)
    parser.add_argument("--model", help="Hugging Face directory or hub id")
    parser.add_argument("--gpu", action="store_true", help="use one GPU for both sampling and training")
    parser.add_argument("--demo", action="store_true", help="write the problems, and train a tiny model from scratch")
    parser.add_argument("--run-dir", help="default: runs/<name of the file>")
    arguments = parser.parse_args()
    if bool(arguments.model) == arguments.demo:
        parser.error("give either --model or --demo")

    config = {"name": arguments.problems.stem, "problems": {"train": arguments.problems}}
    if arguments.demo:
        if not arguments.problems.exists():
            write_problems(arguments.problems)
        config |= FROM_SCRATCH
    else:
        config |= PRETRAINED | {"model": {"path": arguments.model}} | (ON_ONE_GPU if arguments.gpu else {})

    run = mmst.self_train(config, arguments.run_dir)

    for round_ in run.rounds:
        accuracy = ", ".join(f"{name} {value:.0%}" for name, value in round_.accuracy.items())
        print(f"round {round_.number}: {accuracy}; trained on {round_.pool} solutions of its own")
    print(f"the best checkpoint is {run.checkpoint}")


def write_problems(file: Path, count: int = 400) -> None:
    """Write word problems with two annotations each: a rationale and a program."""
    random.seed(0)
    names, things = ("Mia", "Tom", "Ana", "Ben", "Zoe"), ("pens", "books", "cups", "coins")
    sums = [(a, sign, b) for a in range(2, 10) for b in range(1, 10) for sign in "+-" if sign == "+" or a > b]
    with file.open("w") as lines:
        for name, thing, (a, sign, b) in random.sample([*itertools.product(names, things, sums)], count):
            change = f"buys {b} more" if sign == "+" else f"gives away {b}"
            answer = a + b if sign == "+" else a - b
            problem = {
                "question": f"{name} has {a} {thing} and {change}. How many {thing} does {name} have?",
                "answer": str(answer),
                "views": {
                    "cot": f"{a} {sign} {b} = {answer}. The answer is {answer}.",
                    "program": f"{thing} = {a} {sign} {b}\nprint({thing})",
                },
            }
            lines.write(json.dumps(problem) + "\n")


if __name__ == "__main__":
    main()
