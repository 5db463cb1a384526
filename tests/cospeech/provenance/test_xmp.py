"""What a live film says of itself, read by an XML parser."""

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from cospeech.harness.files import file_digest
from cospeech.provenance.xmp import xmp_packet

IPTC = "{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}"
DESCRIPTION = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}Description"


def test_a_model_drew_it_and_which(tmp_path: Path) -> None:
    record = tmp_path / "provenance.json"
    record.write_text(json.dumps({"name": 'ann & "bob"'}))
    said = next(ElementTree.fromstring(xmp_packet(tmp_path)).iter(DESCRIPTION))
    assert said.get(f"{IPTC}DigitalSourceType", "").endswith("/trainedAlgorithmicMedia")
    assert said.get(f"{IPTC}AISystemUsed") == 'cospeech, ann & "bob"'
    assert said.get(f"{IPTC}AISystemVersionUsed") == f"sha256:{file_digest(record)}"


def test_a_folder_that_is_no_export_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"provenance\.json"):
        xmp_packet(tmp_path)
