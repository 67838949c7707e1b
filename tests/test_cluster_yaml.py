"""`ray up cluster.yaml` would be accepted: checked by Ray's own schema, without a cloud."""

from pathlib import Path

import pytest
import yaml

CLUSTER = Path(__file__).parents[1] / "cluster.yaml"


@pytest.fixture
def cluster() -> dict:
    return yaml.safe_load(CLUSTER.read_text())


def test_cluster_file_is_valid_by_rays_own_schema(cluster: dict) -> None:
    from ray.autoscaler._private.util import prepare_config, validate_config

    validate_config(prepare_config(cluster))


def test_schema_refuses_an_unknown_key(cluster: dict) -> None:
    import jsonschema
    from ray.autoscaler._private.util import prepare_config, validate_config

    with pytest.raises(jsonschema.ValidationError):
        validate_config(prepare_config({**cluster, "number_of_gpus": 3}))


def test_cluster_has_a_head_and_gpu_and_cpu_workers_that_start_from_none(cluster: dict) -> None:
    types = dict(cluster["available_node_types"])
    head = types.pop(cluster["head_node_type"])
    assert not head["resources"].get("GPU")
    assert all(kind["min_workers"] == 0 < kind["max_workers"] for kind in types.values())
    assert {bool(kind["resources"].get("GPU")) for kind in types.values()} == {True, False}
    assert cluster["max_workers"] >= sum(kind["max_workers"] for kind in types.values())
