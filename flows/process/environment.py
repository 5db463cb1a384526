"""Set the environment variables that keep every process quiet, private and inside the project folder."""

import os
from pathlib import Path

PARENT_RUN = "COSPEECH_PARENT_RUN"
"""Environment variable: id of the flow run under which a stage shows."""

PIPELINE = "COSPEECH_PIPELINE"
"""Environment variable: process id of the pipeline that a stage belongs to."""

PRIVATE = {
    # nobody is called home
    "DO_NOT_TRACK": "1",
    "DVC_NO_ANALYTICS": "1",
    "ITERATIVE_DO_NOT_TRACK": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "PYANNOTE_METRICS_ENABLED": "false",
    "NO_ALBUMENTATIONS_UPDATE": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    # what native libraries say on every start
    "TF_CPP_MIN_LOG_LEVEL": "2",
    "GLOG_minloglevel": "2",
    "PREFECT_SERVER_UI_V2_ENABLED": "false",
    "PREFECT_SERVER_LOGGING_LEVEL": "WARNING",
    "PREFECT_SERVER_EPHEMERAL_ENABLED": "false",
    "PREFECT_LOGGING_EXTRA_LOGGERS": "cospeech",
    "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",
    "PREFECT_CLI_PROMPT": "false",
    # each try waits twice as long; the work does not wait a minute for a server that is gone
    "PREFECT_CLIENT_MAX_RETRIES": "2",
}


def state_folder(root: Path) -> Path:
    """Return the folder of what is not an artifact: locks, logs, the server's database, the clip cache."""
    return root / ".cospeech"


def prepare_environment(root: Path) -> None:
    """Set the variables that are not set; child processes inherit them."""
    folder = state_folder(root)
    folder.mkdir(exist_ok=True)
    local = {"PREFECT_HOME": folder / "prefect", "DVC_SITE_CACHE_DIR": folder / "dvc"}
    for name, value in [*PRIVATE.items(), *local.items()]:
        os.environ.setdefault(name, str(value))
