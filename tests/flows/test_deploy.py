"""The files of deploy/, as far as they can be checked without Docker and Kubernetes."""

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.workers.process import ProcessJobConfiguration, ProcessWorker

from tests.flows.support import prefect_client


def test_the_docker_file_copies_what_is_there_and_installs_as_make_does(repository: Path) -> None:
    text = (repository / "deploy/Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    copied = [line.split()[1:-1] for line in text.splitlines() if line.startswith("COPY ")]
    assert [name for names in copied for name in names if not (repository / name).exists()] == []
    makefile = (repository / "Makefile").read_text(encoding="utf-8")
    assert re.findall(r"uv==([\d.]+)", text) == re.findall(r"UV_VERSION := ([\d.]+)", makefile)
    early = [name for names in copied[:-1] for name in names]
    used = re.search(r"--compile-bytecode --require-hashes -r (\S+)", text)
    assert used is not None
    assert {used.group(1), "pyproject.toml"} <= set(early)  # the latter has what uv must override
    ignored = (repository / ".dockerignore").read_text(encoding="utf-8").split()
    assert set(early).isdisjoint(ignored)
    assert {".git", ".venv", ".cospeech"} <= set(ignored)
    pins = (repository / used.group(1)).read_text(encoding="utf-8")
    assert re.search(r"^setuptools==", pins, re.MULTILINE)  # what builds the package: it is not fetched apart


def test_a_pool_takes_the_template_and_a_worker_its_values(prefect_server: str, repository: Path) -> None:
    """But nobody who may start a run says what it executes, or in which environment."""
    template: dict[str, Any] = json.loads((repository / "deploy/process-pool.json").read_text(encoding="utf-8"))
    default = ProcessWorker.get_default_base_job_template()
    kept, known = template["job_configuration"], default["job_configuration"]
    assert kept == {name: value for name, value in known.items() if name not in ("command", "env")}
    assert set(template["variables"]["properties"]) == set(kept)
    with prefect_client(prefect_server) as client:
        pool = client.create_work_pool(WorkPoolCreate(name="cospeech", type="process", base_job_template=template))
        foreign = {"command": "sh -c id", "env": {"LD_PRELOAD": "/tmp/foreign.so"}}
        values = {"working_dir": "/srv/project", **foreign}
        job = asyncio.run(_job(prefect_server, pool.base_job_template, values))
        client.delete_work_pool("cospeech")
    assert (job.working_dir, job.stream_output) == (Path("/srv/project"), True)
    assert job.command is None
    assert "LD_PRELOAD" not in job.env


async def _job(url: str, template: dict[str, Any], values: dict[str, Any]) -> ProcessJobConfiguration:
    async with PrefectClient(url) as client:
        return await ProcessJobConfiguration.from_template_and_values(template, values, client=client)


def test_the_pool_of_the_deployments_is_the_one_that_workers_serve(repository: Path) -> None:
    plan = yaml.safe_load((repository / "prefect.yaml").read_text(encoding="utf-8"))
    objects = list(yaml.safe_load_all((repository / "deploy/kubernetes.yaml").read_text(encoding="utf-8")))
    claim, worker = objects
    assert (claim["kind"], worker["kind"]) == ("PersistentVolumeClaim", "Deployment")
    pod = worker["spec"]["template"]
    assert worker["spec"]["selector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()
    [container] = pod["spec"]["containers"]
    pools = {entry["work_pool"]["name"] for entry in plan["deployments"]}
    assert pools == {container["command"][container["command"].index("--pool") + 1]}
    volumes = {volume["name"]: volume for volume in pod["spec"]["volumes"]}
    assert {mount["name"] for mount in container["volumeMounts"]} == set(volumes)
    assert volumes["project"]["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]
    assert f"--pool {pools.pop()}" in (repository / "deploy/README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(("origin", "allowed"), [("http://evil.example", False), ("http://127.0.0.1", True)])
def test_pages_of_others_give_the_server_no_orders(prefect_server: str, origin: str, allowed: bool) -> None:
    """Browsers ask before they send them, and hide the answers."""
    port = httpx.URL(prefect_server).port
    headers = {"Origin": f"{origin}:{port}" if allowed else origin, "Access-Control-Request-Method": "POST"}
    asked = httpx.options(f"{prefect_server}/flow_runs/", headers=headers, trust_env=False)
    answer = httpx.get(f"{prefect_server}/health", headers=headers, trust_env=False)
    for each in (asked, answer):
        assert each.headers.get("access-control-allow-origin") == (headers["Origin"] if allowed else None)
