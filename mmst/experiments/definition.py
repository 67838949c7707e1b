"""An experiment file: arms × seeds over one base configuration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mmst.config import Config
from mmst.config.file import build_config, with_settings
from mmst.errors import InputError


class Definition(BaseModel):
    """One file of `experiments/`."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    base: str
    """Configuration file, relative to this one."""
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
    share a round 0 only where the settings that determine it are equal."""
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


@dataclass(frozen=True)
class Experiment:
    """A checked experiment file with its base configuration."""

    file: str
    definition: Definition
    tree: Mapping[str, Any]
    """The base configuration, as read from YAML."""

    def config(self, arm: str, seed: int, more: Mapping[str, Any] | None = None) -> Config:
        """The configuration of one arm with one seed; `more` are further settings by dotted key."""
        seeds = dict.fromkeys(self.definition.seed_keys, seed)
        values = {**self.definition.set, **self.definition.arms[arm], **seeds, **(more or {})}
        return build_config(with_settings(self.tree, values), f"{self.file}, arm {arm}")

    def sharing(self, arm: str) -> list[str]:
        """The arms that share a round 0 with this arm, itself included, in the order of the file."""
        seed = self.definition.seeds[0]
        part = _round_zero_part(self.config(arm, seed))
        return [name for name in self.definition.arms if _round_zero_part(self.config(name, seed)) == part]

    def round_zero(self, arm: str, seed: int) -> Config:
        """The configuration of the round 0 that this arm shares: the control's or the first arm's, without rounds."""
        arms, control = self.sharing(arm), self.definition.control
        config = self.config(control if control in arms else arms[0], seed)
        return config.model_copy(update={"rounds": config.rounds.model_copy(update={"max": 0})})

    def multiplied(self, scale: float) -> Experiment:
        """The experiment with its `scaled` settings multiplied. Raises InputError for a setting that is no integer."""
        tree = self.config(self.definition.control, self.definition.seeds[0]).model_dump()
        values = {}
        for key in self.definition.scaled:
            value: Any = tree
            for name in key.split("."):
                value = value.get(name) if isinstance(value, dict) else None
            if not isinstance(value, int):
                raise InputError(f"{self.file}: `scaled`: {key} is {value!r}, not an integer")
            values[key] = max(1, round(value * scale))
        changed = self.definition.model_copy(update={"set": {**self.definition.set, **values}})
        return Experiment(self.file, changed, self.tree)


def read_experiment(source: Path | Mapping[str, Any]) -> Experiment:
    """Read and check an experiment from a YAML file, or from a mapping whose `base` is relative to the working
    directory. Raises InputError."""
    file, folder = (str(source), source.parent) if isinstance(source, Path) else ("experiment", Path())
    try:
        definition = Definition.model_validate(_yaml(source, file) if isinstance(source, Path) else source)
    except ValidationError as error:
        raise InputError(f"{file}: {error}") from error
    experiment = Experiment(file, definition, _yaml(folder / definition.base, f"{file}: `base`"))
    _check(experiment)
    return experiment


def _yaml(path: Path, name: str) -> Any:
    try:
        return yaml.safe_load(path.read_text())
    except OSError as error:
        raise InputError(f"{name}: {path} cannot be read ({error.strerror})") from error
    except (yaml.YAMLError, ValueError) as error:
        raise InputError(f"{name}: {path} is not valid YAML ({' '.join(str(error).split())})") from error


def _check(experiment: Experiment) -> None:
    definition, file = experiment.definition, experiment.file
    names = list(definition.arms)
    if definition.control not in names:
        raise InputError(f"{file}: `control`: there is no arm `{definition.control}`")
    for arm, other in definition.match_pool.items():
        if arm not in names or other not in names[: names.index(arm)]:
            raise InputError(f"{file}: `match_pool.{arm}`: `{other}` must be an arm that comes before `{arm}`")
    if definition.round_zero == "own":
        if definition.transfer is not None:
            raise InputError(f"{file}: `transfer` needs a shared round 0; remove it or `round_zero: own`")
        return
    together = experiment.sharing(definition.control)
    for name in names:
        if name not in together:
            raise InputError(
                f"{file}: `arms.{name}` changes what round 0 depends on, so round 0 cannot be shared; "
                "`round_zero: own` gives the arm a round 0 of its own"
            )


def _round_zero_part(config: Config) -> dict[str, Any]:
    """The settings that determine round 0."""
    tree = config.model_dump()
    own = {} if config.round0.schedule and config.round0.mixture is not None else tree["training"]
    roles = tree["socratic"] if "socratic" in config.methods else None
    parts = ("problems", "model", "round0", "seed", "evaluation")
    return {key: tree[key] for key in parts} | {"training": own, "socratic": roles}
