"""Checkpoints from a hub, a server on loopback that is like it: fetched, gone on with, looked at, used and removed."""

import os
import subprocess
import sys

import pytest

from hub_double import NAME, Hub
from palimpsest.engine import hub
from palimpsest.engine.weights import SHIPPED


@pytest.fixture
def there(tiny_folder):
    with Hub(tiny_folder) as there:
        yield there


@pytest.fixture
def command(there, tmp_path):  # noqa: ARG001  (it is asked)
    """``palimpsest`` with a cache of its own, and what it answers."""

    def run(*arguments, status=0, said="", **more):
        environment = os.environ | {"HF_HOME": str(tmp_path / "cache")} | more
        whole = [sys.executable, "-m", "palimpsest.app.main", *map(str, arguments)]
        told = subprocess.run(whole, env=environment, input=said, capture_output=True, text=True, timeout=100)
        assert told.returncode == status, told.stderr
        assert "Traceback" not in told.stderr
        return told.stdout if status == 0 else told.stderr.rstrip("\n").rpartition("\n")[2]

    return run


def test_a_checkpoint_is_fetched_used_looked_at_and_removed(command, there, tmp_path):
    told = command("models", "pull", NAME, "--yes")
    assert "licence apache-2.0" in told
    assert all(f"as {precision}" in told for precision in ("bf16", "fp8", "int4"))
    assert there.sent["model.safetensors"] == len(there.files["model.safetensors"])
    assert NAME in command("models")
    assert "not whole" not in command("models", "list")
    assert "as it was published" in command("models", "verify", NAME)
    (tmp_path / "file.txt").write_text("one two\n")
    place = ("fill", tmp_path / "file.txt", "--at", "1:4", "--seed", "1", "--steps", "2", "--length", "3")
    assert command(*place, "--model", NAME) == command(*place, "--model", there_folder(tmp_path))
    # Nothing is fetched twice.
    there.sent.clear()
    assert "of which 0 MB are missing" in command("models", "pull", NAME)
    assert not there.sent.get("model.safetensors")
    assert "are free again" in command("models", "remove", NAME)
    assert NAME not in command("models")
    assert "is not on this machine" in command("models", "remove", NAME, status=1)
    assert "palimpsest models pull" in command(*place, "--model", NAME, status=1)


def there_folder(tmp_path):
    (snapshot,) = (tmp_path / "cache").glob("hub/models--somebody--small/snapshots/*")
    return snapshot


def test_what_was_begun_is_gone_on_with(command, there):
    there.files["first.safetensors"] = b"small"
    there.broken_at = 1000
    assert "try again; what came is kept" in command("models", "pull", NAME, "--yes", status=1)
    assert "not whole" in command("models")
    assert "is not on this machine, or not whole" in command("models", "verify", NAME, status=1)
    there.broken_at = None
    there.sent.clear()
    command("models", "pull", NAME, "--yes")
    assert there.sent["model.safetensors"] == len(there.files["model.safetensors"])
    assert not there.sent.keys() & {"first.safetensors", "tokenizer.json"}
    assert "as it was published" in command("models", "verify", NAME)


def test_it_asks_before_it_fetches(command, there):
    command("models", "pull", NAME, said="n\n", status=1)
    assert not there.sent.get("model.safetensors")
    assert "It is here" in command("models", "pull", NAME, said="y\n")


def test_what_is_damaged_is_found(command, tmp_path):
    command("models", "pull", NAME, "--yes")
    weights = (there_folder(tmp_path) / "model.safetensors").resolve()
    with weights.open("r+b") as file:
        file.seek(1000)
        file.write(b"damage")
    environment = os.environ | {"HF_HOME": str(tmp_path / "cache")}
    verify = [sys.executable, "-m", "palimpsest.app.main", "models", "verify", NAME]
    told = subprocess.run(verify, env=environment, capture_output=True, text=True)
    assert told.returncode == 1
    assert "model.safetensors is damaged" in told.stdout
    assert told.stdout.count("\n") == 1


def test_code_and_pickles_are_not_fetched(command, there, tmp_path):
    there.files |= {"pytorch_model.bin": b"pickle", "modeling.py": b"code"}
    command("models", "pull", NAME, "--yes")
    assert not there.sent.keys() & {"pytorch_model.bin", "modeling.py"}
    assert {"config.json", "model.safetensors"} <= {file.name for file in there_folder(tmp_path).iterdir()}


@pytest.mark.parametrize(
    ("refusing", "said"),
    [
        ((403, "GatedRepo"), "accept its licence"),
        ((401, "RepoNotFound"), "is the name right?"),
        ((404, "RepoNotFound"), "is the name right?"),
        ((500, ""), "see to the network"),
    ],
)
def test_what_the_hub_refuses_is_said(command, there, refusing, said):
    there.refusing = refusing
    assert said in command("models", "pull", NAME, "--yes", status=1)


def test_a_model_of_another_kind_is_not_fetched(command, there):
    there.files["config.json"] = b'{"model_type": "llama"}'
    assert "of another kind" in command("models", "pull", NAME, "--yes", status=1)
    assert not there.sent.get("model.safetensors")


def test_nobody_answers(command, there):
    there.shutdown()
    there.server_close()
    assert "see to the network" in command("models", "pull", NAME, "--yes", status=1)


def test_offline_is_offline(command, there):
    assert "HF_HUB_OFFLINE is set" in command("models", "pull", NAME, "--yes", status=1, HF_HUB_OFFLINE="1")
    assert not there.sent


@pytest.mark.parametrize("name", ["no", "a/b/c", "../etc", "a b/c"])
def test_what_is_no_name_is_refused(command, name):
    assert "is no name on the hub" in command("models", "pull", name, "--yes", status=1)


def test_a_full_disk_is_told_before(monkeypatch, tmp_path):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(hub.CheckpointError, match="make room"):
        hub.fetch(hub.Offer(NAME, SHIPPED, "", 1 << 60, 1 << 60))


def test_a_package_without_the_hub_s_faster_way_does_not_take_it():
    """It is without hf_xet, but not without the names and versions of all that was installed."""
    script = (
        "import sys; sys.modules['hf_xet'] = None; import palimpsest.engine.hub\n"
        "from huggingface_hub.utils._runtime import is_xet_available; print(is_xet_available())"
    )
    told = subprocess.run([sys.executable, "-c", script], check=True, stdout=subprocess.PIPE, text=True).stdout
    assert told == "False\n"
