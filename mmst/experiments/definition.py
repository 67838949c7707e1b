"""An experiment file: arms × seeds over one base configuration."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from mmst.config import Config
from mmst.config.file import build_config, read_yaml, with_settings
from mmst.errors import InputError
from mmst.foreign import checked


class Experiment(BaseModel):
    """One file of `experiments/`."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    base: dict[str, Any]
    """The base configuration; a file gives its path, relative to itself."""
    seeds: list[int] = Field(min_length=1)
    """Every arm runs once with each seed."""
    seed_keys: list[str] = ["seed"]
    """Configuration keys that receive the seed."""
    control: str
    """The arm that all others are compared with, seed by seed."""
    control_method: str | None = None
    """The control's method that every other method is compared with; without it each method is compared with itself."""
    round_zero: Literal["shared", "own"] = "shared"
    """`shared`: all arms start from one round 0, and an arm whose settings would change it is an error. `own`: arms
    share a round 0 only if the settings that determine it are equal."""
    set: dict[str, Any] = {}
    """Settings of all arms, by dotted key."""
    transfer: dict[str, Any] | None = None
    """Settings, by dotted key, that turn the problems into a related task that no arm trains on. The final checkpoint
    of every arm, and round 0, are evaluated on its test problems."""
    scaled: list[str] = []
    """Settings, by dotted key, that `--scale` multiplies."""
    match_pool: dict[str, str] = {}
    """Arms whose `training.pool_limit` is the number of solutions that another arm kept with the same seed, such as
    `mmst_cut: cot_only`. The other arm must come earlier in `arms`."""
    arms: dict[str, dict[str, Any]] = Field(min_length=1)
    """Settings of each arm, by dotted key. With a shared round 0 they must not change what it depends on."""

    def config(self, arm: str, seed: int, more: Mapping[str, Any] | None = None) -> Config:
        """The configuration of one arm with one seed; `more` are further settings by dotted key."""
        values = {**self.set, **self.arms[arm], **dict.fromkeys(self.seed_keys, seed), **(more or {})}
        return build_config(with_settings(self.base, values), f"arm {arm}")

    def sharing(self, arm: str) -> list[str]:
        """The arms that share a round 0 with this arm, itself included, in the order of the file."""
        parts = {name: _round_zero_part(self.config(name, self.seeds[0])) for name in self.arms}
        return [name for name in self.arms if parts[name] == parts[arm]]

    def only_round_zero(self, arm: str, seed: int) -> Config:
        """The configuration of the round 0 that this arm shares: the control's or the first arm's, without rounds."""
        arms = self.sharing(arm)
        config = self.config(self.control if self.control in arms else arms[0], seed)
        return config.model_copy(update={"rounds": config.rounds.model_copy(update={"max": 0})})

    def multiplied(self, scale: float) -> Experiment:
        """The experiment with its `scaled` settings multiplied. Raises InputError for a setting that is no integer."""
        tree, values = self.config(self.control, self.seeds[0]).model_dump(), {}
        for key in self.scaled:
            value: Any = tree
            for name in key.split("."):
                value = value.get(name) if isinstance(value, dict) else None
            if not isinstance(value, int):
                raise InputError(f"`scaled`: {key} is {value!r}, not an integer")
            values[key] = max(1, round(value * scale))
        return self.model_copy(update={"set": {**self.set, **values}})


def read_experiment(source: Path | Mapping[str, Any], scale: float = 1.0) -> Experiment:
    """Read and check an experiment from a YAML file, or from a mapping whose `base` is a mapping or relative to the
    working directory. Raises InputError."""
    tree = read_yaml(source) if isinstance(source, Path) else dict(source)
    if isinstance(base := tree.get("base"), str):
        tree["base"] = read_yaml(source.parent / base if isinstance(source, Path) else Path(base))
    name = str(source) if isinstance(source, Path) else "experiment"
    experiment: Experiment = checked(tree, Experiment, name)
    try:
        _check(experiment)
        return experiment if scale == 1.0 else experiment.multiplied(scale)
    except InputError as error:
        raise InputError(f"{name}: {error}") from error


def _check(experiment: Experiment) -> None:
    names = list(experiment.arms)
    if experiment.control not in names:
        raise InputError(f"`control`: there is no arm `{experiment.control}`")
    for arm, other in experiment.match_pool.items():
        if arm not in names or other not in names[: names.index(arm)]:
            raise InputError(f"`match_pool.{arm}`: `{other}` must be an arm that comes before `{arm}`")
    if experiment.round_zero == "own":
        if experiment.transfer is not None:
            raise InputError("`transfer` needs a shared round 0; remove it or `round_zero: own`")
    elif apart := [name for name in names if name not in experiment.sharing(experiment.control)]:
        raise InputError(
            f"`arms.{apart[0]}` changes what round 0 depends on, so round 0 cannot be shared; `round_zero: own` gives "
            "the arm a round 0 of its own"
        )


def _round_zero_part(config: Config) -> dict[str, Any]:
    """The settings that determine round 0."""
    tree = config.model_dump()
    own = {} if config.round0.schedule and config.round0.mixture is not None else tree["training"]
    roles = tree["socratic"] if "socratic" in config.methods else None
    parts = ("problems", "model", "round0", "seed", "evaluation")
    return {key: tree[key] for key in parts} | {"training": own, "socratic": roles}
