"""What `make pretrain` leaves: the models, and how they were made. The training itself is the pipeline's own."""

import json
import subprocess
from pathlib import Path

from cospeech.config import load_params
from cospeech.harness.workspace import Workspace
from flows.pretrain import collect


def test_models_come_with_parameters_machine_and_curves(tmp_path: Path, repository: Path) -> None:
    clone = Workspace(tmp_path / "clone")
    for path in (
        clone.model("codec") / "image/config.json",
        clone.model("deformer") / "config.json",
        clone.model("teacher") / "config.json",
    ):
        path.parent.mkdir(parents=True)
        path.write_text("{}", encoding="utf-8")
    for stage in ("train_codec", "train_deformer", "train_teacher"):
        clone.stage_report(stage).mkdir(parents=True)
        (clone.stage_report(stage) / "loss.csv").write_text("step,loss\n", encoding="utf-8")
    (clone.root / "params.yaml").write_text("seed: 3\n", encoding="utf-8")
    git = ["git", "-C", str(clone.root), "-c", "user.name=t", "-c", "user.email=t@t"]
    subprocess.run(["git", "init", "--quiet", str(clone.root)], check=True)
    subprocess.run([*git, "commit", "--quiet", "--allow-empty", "--message", "x"], check=True)
    target = collect(clone, tmp_path / "models/pretrained", {"people": 7, "seed": 1})
    assert {path.relative_to(target).as_posix() for path in target.rglob("*") if path.is_file()} == {
        "codec/image/config.json",
        "deformer/config.json",
        "teacher/config.json",
        "log/train_codec/loss.csv",
        "log/train_deformer/loss.csv",
        "log/train_teacher/loss.csv",
        "record.json",
    }
    record = json.loads((target / "record.json").read_text(encoding="utf-8"))
    assert record["crowd"] == {"people": 7, "seed": 1}
    assert record["params"] == {"seed": 3}
    assert len(record["commit"]) == 40
    assert record["machine"]["cores"] >= 1


def test_its_parameters_train_from_nothing_on_the_crowd_in_the_shape_of_the_demo(repository: Path) -> None:
    demo, pretraining = (load_params(repository / name) for name in ("params.yaml", "params/pretrain.yaml"))
    assert pretraining.codec.pretrained is None
    assert pretraining.deformer.pretrained is None
    assert pretraining.teacher.pretrained is None
    assert pretraining.deformer.width == demo.deformer.width
    assert pretraining.ingest.source == "footage"
    for name in ("width", "layers", "heads", "ffn_ratio", "conv_width", "patch", "max_frames", "reference_warp"):
        assert getattr(pretraining.teacher, name) == getattr(demo.teacher, name), name
    for name in ("latent_channels", "pose_channels", "encoder_width", "decoder_width", "detail_width"):
        assert getattr(pretraining.codec, name) == getattr(demo.codec, name), name
