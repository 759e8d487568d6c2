"""Finds checkpoints and says what is wrong with one."""

import json
from pathlib import Path

from safetensors import SafetensorError, safe_open

from palimpsest.engine import hub
from palimpsest.engine.errors import CheckpointError
from palimpsest.engine.language import tr

SHIPPED = Path(__file__).parent.parent / "resources" / "mini"
NEEDED = ("config.json", "generation_config.json", "tokenizer.json")


def find(checkpoint: str | Path | None) -> Path:
    """The folder of ``checkpoint``, by default the shipped one, or of a name on the hub that was fetched, after a look
    at its files.

    Raises CheckpointError when a file is missing or cannot be read as what it should be.
    """
    folder = Path(checkpoint) if checkpoint else SHIPPED
    if not folder.is_dir() and hub.NAME.fullmatch(str(checkpoint)):
        folder = hub.folder(str(checkpoint))
        if folder is None:
            raise hub.absent(str(checkpoint))
    if not folder.is_dir():
        raise CheckpointError(
            tr(
                "There is no checkpoint folder {folder}: give a folder that holds a DiffusionGemma model.",
                folder=folder,
            )
        )
    for name in NEEDED:
        _check_json(folder / name)
    if json.loads((folder / "config.json").read_text("utf-8")).get("model_type") != hub.KIND:
        raise CheckpointError(
            tr("{folder} holds a model of another kind: Palimpsest needs a DiffusionGemma checkpoint.", folder=folder)
        )
    shards = sorted(folder.glob("*.safetensors"))
    if not shards:
        raise _damaged(folder / "model.safetensors", tr("is missing"))
    for shard in shards:
        try:
            with safe_open(shard, "pt") as file:
                file.keys()
        except (SafetensorError, OSError) as error:
            raise _damaged(shard, tr("is damaged")) from error
    return folder


def has_chat_template(folder: Path) -> bool:
    """Was the checkpoint tuned for conversation? Such a one says how to write it down."""
    settings = folder / "tokenizer_config.json"
    return (folder / "chat_template.jinja").exists() or (
        settings.exists() and "chat_template" in json.loads(settings.read_text("utf-8"))
    )


def _check_json(path: Path) -> None:
    try:
        json.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise _damaged(path, tr("is missing")) from error
    except (OSError, ValueError) as error:
        raise _damaged(path, tr("is damaged")) from error


def _damaged(path: Path, state: str) -> CheckpointError:
    cure = tr("install Palimpsest again") if path.parent == SHIPPED else tr("fetch the checkpoint again")
    return CheckpointError(tr("The model's file {path} {state}: {cure}.", path=path, state=state, cure=cure))
