"""Secrets planted in a log that a sidecar follows: none of them in anything it hands out, keeps or says."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import jsonschema

from detector.state.archive import unpack
from detector.state.store import FolderStore
from tests.followed import Followed, told
from tests.replay.test_canaries import CANARIES, planted  # noqa: F401  a fixture
from tests.unit.test_schemas import OCSF


def test_no_secret_leaves_a_sidecar(planted: tuple[Path, list[str]], tmp_path: Path) -> None:  # noqa: F811
    """File, topic, webhook, Alertmanager, metrics, pages with block lists, cases, snapshot and log: none holds a
    secret; each sink writes the schema it was told to."""
    log, secrets = planted
    shutil.copy(log, tmp_path / "access.log")
    with Followed(tmp_path) as sidecar:
        sidecar.wait_for(CANARIES)
    outputs = sidecar.outputs
    case = next(name for name in outputs if name.startswith("state/cases/") and name.endswith(".json"))
    for name in ("jsonl", "kafka", "webhook", "alertmanager", "standard error", "metrics", "page /incidents", case):
        assert outputs[name], name
    assert b"198.51.100.7" in outputs["jsonl"]
    assert any(name.endswith("/nginx") and b"198.51.100.7 1;" in text for name, text in outputs.items())
    _, data = next(FolderStore(tmp_path / "state" / "snapshots").newest("window"))
    meta, arrays = unpack(data)
    outputs["snapshot"] = json.dumps(meta).encode() + b"".join(array.tobytes() for array in arrays.values())
    found = {name: [s for s in secrets if s.encode() in text] for name, text in outputs.items()}
    assert {name: some[:3] for name, some in found.items() if some} == {}
    ids = {record["incident"] for record in told(outputs)}
    posted = [json.loads(line) for line in outputs["webhook"].splitlines()]
    for one in posted:
        jsonschema.validate(one, OCSF)
    assert {one["finding_info"]["uid"] for one in posted} == ids
    produced = [line.split(b"\t") for line in outputs["kafka"].splitlines()]
    assert {key.decode() for key, _ in produced} == ids
    assert {json.loads(value)["ecs"]["version"] for _, value in produced} == {"8.17.0"}
