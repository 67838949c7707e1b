"""The smallest configuration in which every stage of the loop has work to do."""

MICRO = {
    "name": "micro",
    "problems": {
        "synthetic": {
            "train": 60, "annotated": 400, "dev": 40, "test": 40,
            "steps": {1: 1.0}, "operators": ["+", "-"], "largest": 9, "bound": 18, "distractors": 0, "wordings": 2,
        }
    },
    "model": {"scratch": {"width": 64, "layers": 2, "heads": 2, "context": 128}},
    "round0": {
        "tasks": {"cot": {"limit": 200}, "pot": {"limit": 200}, "pot->cot": {"limit": 100}, "cot->pot": {"limit": 100}},
        "schedule": {"steps": 150, "learning_rate": 5e-3},
        "mixture": {},
    },
    "rounds": {"max": 1},
    "sampling": {"per_problem": 4, "max_tokens": 64},
    "translate": {"include_question": False},
    "training": {"batch": 32, "schedule": {"steps": 20, "learning_rate": 1e-3}},
}  # fmt: skip
