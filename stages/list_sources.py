"""Write down what the sources look like now, so that DVC notices footage that changed wherever it lies.

DVC watches neither S3 behind an endpoint of one's own nor files that a manifest names outside of its folder, nor which
ffmpeg encodes. So this stage runs before every `dvc repro`, in a moment (without the flow runner's imports), and ingest
depends on its table, which differs only if a source does, or the version of ffmpeg.
"""

import sys
import time
from pathlib import Path

from cospeech.config import Params, load_params
from cospeech.footage.consent import find_revocation, load_revocations
from cospeech.footage.fingerprints import FingerprintCache, fingerprint_sources
from cospeech.footage.manifest import MANIFEST_NAME, parse_manifest
from cospeech.footage.storage import Storage
from cospeech.harness.context import Context
from cospeech.harness.files import value_digest, write_json
from cospeech.harness.process_pool import process_pool
from cospeech.harness.progress import terminal_progress
from cospeech.harness.stage_report import StageReport
from cospeech.harness.workspace import Workspace
from cospeech.utils.ffmpeg import find_ffmpeg

STAGE = "list_sources"


def run(params: Params, context: Context) -> StageReport:
    """Write data/sources.json: fingerprints of the manifest and of all that it names, but not of revoked sources; and
    the version of ffmpeg.

    Raises:
        ManifestError, StorageError, MediaError: the manifest itself cannot be read, or there is no such ffmpeg (all are
            ValueErrors).
    """
    begun, workspace = time.monotonic(), context.workspace
    source, storage = params.ingest.source, Storage(params.ingest.endpoint_url)
    manifest = storage.join(source, MANIFEST_NAME)
    text = storage.read_text(manifest)
    revocations = load_revocations(workspace.revoked)
    rows = [row for row in parse_manifest(text, manifest) if not find_revocation(revocations, row.uri)]
    cache = FingerprintCache(workspace.scratch / STAGE / "digests.json")
    listing = fingerprint_sources(rows, source, storage, cache)
    cache.save()
    version = find_ffmpeg(params.media.ffmpeg).version
    write_json(workspace.sources, {"ffmpeg": version, "manifest": value_digest(text), "sources": listing})
    absent = sum(fingerprint == "absent" for fingerprint in listing.values())
    summary = f"{len(listing)} files named by {manifest}, {absent} of them absent"
    figures = {"files": len(listing), "absent": absent}
    return StageReport(STAGE, summary, figures, {"seconds": time.monotonic() - begun}, {})


def main() -> int:
    try:
        context = Context(Workspace(Path.cwd()), lambda: process_pool(1), terminal_progress)
        print(run(load_params(Path("params.yaml")), context).summary)
    except ValueError as error:
        print(f"error in {STAGE}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
