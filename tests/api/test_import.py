"""`import mmst` is fast and light, and has every public name."""

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import mmst

HEAVY = {"ray", "torch", "vllm", "transformers", "deepspeed", "pyarrow", "pydantic", "sympy", "numpy"}


def run(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def loaded_by(code: str) -> set[str]:
    return set(ast.literal_eval(run(f"{code}\nimport sys\nprint(sorted({{m.split('.')[0] for m in sys.modules}}))")))


def test_the_import_takes_less_than_a_third_of_a_second() -> None:
    """The CPU time of the import itself, the best of three: wall time would measure what else the machine does."""
    code = "import time; t = time.process_time(); import mmst; mmst.__version__; print(time.process_time() - t)"
    assert min(float(run(code)) for _ in range(3)) < 0.3


def test_the_import_loads_nothing_heavy() -> None:
    assert loaded_by("import mmst; mmst.__version__; dir(mmst)").isdisjoint(HEAVY)


@pytest.mark.parametrize(
    "code", ["import mmst.verify", "import mmst; mmst.self_train, mmst.load_config, mmst.RunResult"]
)
def test_functions_and_verification_load_neither_ray_nor_torch_nor_vllm(code: str) -> None:
    assert loaded_by(code).isdisjoint({"ray", "torch", "vllm", "transformers", "deepspeed"})


def test_every_public_name_exists_and_is_documented() -> None:
    for name in mmst.__all__:
        assert getattr(mmst, name).__doc__, name
    assert set(mmst.__all__) <= set(dir(mmst))
    assert mmst.experiment.__module__ == "mmst.api"


def test_a_name_that_does_not_exist_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="nonsense"):
        mmst.nonsense  # noqa: B018


def test_the_package_is_typed_and_has_one_version() -> None:
    assert (Path(mmst.__file__).parent / "py.typed").exists()
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())
    assert project["project"]["dynamic"] == ["version"]
    assert project["tool"]["hatch"]["version"]["path"] == "mmst/__init__.py"
    assert run(
        "import runpy, sys; sys.argv = ['mmst', '--version']; runpy.run_module('mmst', run_name='__main__')"
    ) == (f"mmst {mmst.__version__}\n")
