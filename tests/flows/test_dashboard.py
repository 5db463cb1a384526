"""The pages of the real Prefect server in headless Chromium: a run, its artifacts, a deployment."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, expect
from prefect.client.schemas.filters import ArtifactFilter

from flows.retraining.schedule import served
from tests.flows.support import children_of, prefect_client, wait_for
from tests.helpers.browser import open_browser


@pytest.fixture(scope="module")
def nightly(prefect_server: str, repository: Path) -> Any:
    """Id of the deployment of prefect.yaml, registered as `make schedule` does."""
    with prefect_client(prefect_server):
        [deployment] = served(repository)
        return deployment.apply()


@pytest.fixture(scope="module")
def page(nightly: Any) -> Iterator[Page]:
    """After `nightly`: Prefect takes the event loop of a running playwright for its own."""
    with open_browser() as browser:
        page = browser.new_page(viewport={"width": 1300, "height": 1000})
        page.set_default_timeout(60_000)
        expect.set_options(timeout=60_000)
        yield page


@pytest.fixture
def client(prefect_server: str) -> Iterator[Any]:
    with prefect_client(prefect_server) as client:
        yield client


def green(canvas: Locator) -> int:
    """Pixels in the colour of a stage that has ended well."""
    red, green, blue = np.moveaxis(np.asarray(Image.open(io.BytesIO(canvas.screenshot())).convert("RGB"), int), -1, 0)
    return int(((green > red + 60) & (green > blue + 40)).sum())


def test_all_stages_show_under_one_run_with_their_artifacts(
    client: Any, prefect_server: str, start_pipeline: Any, request: pytest.FixtureRequest
) -> None:
    process = start_pipeline("long", PREFECT_API_URL=prefect_server)
    output = process.communicate(timeout=240)[0]
    assert process.returncode == 0, output
    assert "Running stage 'second'" in output
    run = max((each for each in client.read_flow_runs() if each.name == "pipeline"), key=lambda each: each.created)
    assert run.state.is_completed()
    children = {each.name: each for each in children_of(client, run)}
    assert set(children) == {"first", "second"}
    assert all(child.state.is_completed() for child in children.values())
    second = children["second"]
    page: Page = request.getfixturevalue("page")  # without a browser it skips here
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    site = prefect_server.removesuffix("/api")

    page.goto(f"{site}/runs/flow-run/{run.id}")
    expect(page.get_by_text("Completed").first).to_be_visible()
    canvas = page.locator("canvas").first
    assert wait_for(lambda: green(canvas) > 400, 30)  # both stages on the timeline
    page.get_by_text("Subflow Runs", exact=True).click()
    for name in ("first", "second"):
        expect(page.get_by_role("link", name=name, exact=True).first).to_be_visible()

    page.goto(f"{site}/runs/flow-run/{second.id}")
    expect(page.get_by_text("fake: 2 clips kept")).to_be_visible()

    found = {
        each.type: each
        for each in client.read_artifacts(artifact_filter=ArtifactFilter(flow_run_id={"any_": [second.id]}))
    }
    page.goto(f"{site}/artifacts/artifact/{found['markdown'].id}")
    expect(page.get_by_role("row", name="psnr 26.5")).to_be_visible()
    assert page.get_by_alt_text("noise").evaluate("each => each.naturalWidth") > 600
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0
    page.goto(f"{site}/artifacts/artifact/{found['progress'].id}")
    expect(page.get_by_text("steps: 30 of 30")).to_be_visible()
    expect(page.get_by_text("100%")).to_be_visible()
    assert [address for address in asked if not address.startswith((site, "data:", "blob:"))] == []


def test_the_deployment(prefect_server: str, nightly: Any, page: Page) -> None:
    page.goto(f"{prefect_server.removesuffix('/api')}/deployments/deployment/{nightly}")
    expect(page.get_by_text("nightly").first).to_be_visible()
    expect(page.get_by_text("At 02:00 AM").first).to_be_visible()
    page.get_by_text("Parameters", exact=True).click()
    expect(page.get_by_text("footage").first).to_be_visible()
