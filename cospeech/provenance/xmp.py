"""What a live film says of itself. Nobody knows its end when it begins, so it cannot be signed as a file is; it carries
XMP instead, as every tool for photographs and films reads it."""

from pathlib import Path
from xml.sax.saxutils import quoteattr

from cospeech.harness.files import file_digest
from cospeech.provenance.bundle import RECORD, read_record
from cospeech.provenance.video import GENERATED

_PACKET = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
 Iptc4xmpExt:DigitalSourceType={source}
 Iptc4xmpExt:AISystemUsed={system}
 Iptc4xmpExt:AISystemVersionUsed={version}/>
</rdf:RDF></x:xmpmeta>
<?xpacket end="r"?>"""


def describe_origin(export: Path) -> bytes:
    """An XMP packet: drawn by a model, by which, and the SHA-256 of that export's record of files, clips and consents.

    Properties of the IPTC Photo Metadata Standard 2025.1.

    Raises:
        ValueError: the folder is no export.
    """
    name = read_record(export)["name"]
    packet = _PACKET.format(
        source=quoteattr(GENERATED),
        system=quoteattr(f"cospeech, {name}"),
        version=quoteattr(f"sha256:{file_digest(export / RECORD)}"),
    )
    return packet.encode()
