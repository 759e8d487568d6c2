"""Checkpoints of Hugging Face's hub, in the cache that all its programs on this machine share.

Nothing here asks the network but ``offer`` and ``fetch``. Only safetensors and text files are ever fetched.
"""

import hashlib
import json
import os
import re
import shutil
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from palimpsest.engine.errors import CheckpointError
from palimpsest.engine.language import tr

# Packages are without hf_xet, but not without what says that it is there, which is all that the hub's library looks at.
if not find_spec("hf_xet"):
    os.environ.setdefault("HF_HUB_DISABLE_XET", "1")

NAME = re.compile(r"\w[\w.-]*/\w[\w.-]*", re.ASCII)
FILES = ["*.json", "*.jinja", "*.safetensors"]
KIND = "diffusion_gemma"
ROOM = 1 << 30  # bytes of the disk that are left free
CHUNK = 16 << 20  # bytes


@dataclass(frozen=True)
class Kept:
    """A checkpoint of the cache: its name, the bytes it takes, and whether all of it is there."""

    name: str
    bytes: int
    whole: bool


@dataclass(frozen=True)
class Offer:
    """What fetching a checkpoint means: its licence, its bytes, and how many of them are missing; ``folder`` holds its
    configuration already."""

    name: str
    folder: Path
    licence: str
    bytes: int
    missing: int


def folder(name: str) -> Path | None:
    """Where the checkpoint called ``name`` lies; None when it is not here, or not whole."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(name, local_files_only=True, allow_patterns=FILES))
    except (LocalEntryNotFoundError, HFValidationError):  # the first is the kind of an incomplete one, too
        return None


def kept() -> list[Kept]:
    """The checkpoints that are here, by name."""
    found = (repo for repo in _cache() if _kind(repo) == KIND)
    return sorted((Kept(repo.repo_id, repo.size_on_disk, folder(repo.repo_id) is not None) for repo in found), key=str)


def offer(name: str) -> Offer:
    """Ask the hub for a checkpoint. Raises CheckpointError when there is none, or one of another kind."""
    from huggingface_hub import HfApi, hf_hub_download, snapshot_download

    if not NAME.fullmatch(name):
        raise CheckpointError(
            tr("{name} is no name on the hub: give one like google/diffusiongemma-26B-A4B-it.", name=name)
        )
    with _asked(name):
        info = HfApi().model_info(name)
        config = Path(hf_hub_download(name, "config.json", revision=info.sha))
        files = snapshot_download(name, revision=info.sha, allow_patterns=FILES, dry_run=True)
    if _told(config) != KIND:
        raise CheckpointError(
            tr("{name} is a model of another kind: Palimpsest needs a DiffusionGemma checkpoint.", name=name)
        )
    sizes = [(file.file_size or 0, file.is_cached) for file in files]
    licence = (info.card_data or {}).get("license") or tr("not told")
    missing = sum(size for size, here in sizes if not here)
    return Offer(name, config.parent, licence, sum(size for size, _ in sizes), missing)


def fetch(wanted: Offer) -> Path:
    """Fetch the files that are missing of a checkpoint. Raises CheckpointError."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.constants import HF_HUB_CACHE

    place = Path(HF_HUB_CACHE)
    place.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(place).free
    if wanted.missing + ROOM > free:
        raise CheckpointError(
            tr(
                "{name} takes {missing:.1f} GB more and {place} has {free:.1f} free: make room there, or set "
                "HF_HUB_CACHE to a folder on another disk.",
                name=wanted.name,
                missing=wanted.missing / 1e9,
                place=place,
                free=free / 1e9,
            )
        )
    with _asked(wanted.name):
        return Path(snapshot_download(wanted.name, allow_patterns=FILES))


def came(name: str) -> int:
    """How many bytes of a checkpoint are here, those of unfinished files among them."""
    from huggingface_hub.constants import HF_HUB_CACHE
    from huggingface_hub.file_download import repo_folder_name

    blobs = Path(HF_HUB_CACHE, repo_folder_name(repo_id=name, repo_type="model"), "blobs")
    count = 0
    for blob in blobs.glob("*"):
        with suppress(FileNotFoundError):  # it may just have got its final name
            count += blob.stat().st_size
    return count


def damaged(name: str) -> list[Path]:
    """The checkpoint's files that are not what was published, by their hashes. Raises CheckpointError when it is not
    here."""
    place = folder(name)
    if place is None:
        raise absent(name)
    return sorted(file for file in place.rglob("*") if file.is_file() and not _intact(file))


def forget(name: str) -> int:
    """Remove a checkpoint from the cache, for every program, and return how many bytes that gave back. Raises
    CheckpointError when it is not here."""
    repo = next((repo for repo in _cache() if repo.repo_id == name), None)
    if repo is None:
        raise absent(name)
    # With what an attempt left that did not end: the cache's own tools know nothing of that.
    shutil.rmtree(repo.repo_path)
    return repo.size_on_disk


def absent(name: str) -> CheckpointError:
    """What to say of a checkpoint that is not here."""
    return CheckpointError(
        tr("{name} is not on this machine, or not whole: fetch it with palimpsest models pull {name}.", name=name)
    )


def _cache():
    from huggingface_hub import scan_cache_dir
    from huggingface_hub.errors import CacheNotFound

    try:
        return [repo for repo in scan_cache_dir().repos if repo.repo_type == "model"]
    except CacheNotFound:
        return []


def _kind(repo) -> str | None:
    configs = (
        file.file_path for revision in repo.revisions for file in revision.files if file.file_name == "config.json"
    )
    return next(map(_told, configs), None)


def _told(config: Path) -> str | None:
    try:
        return json.loads(config.read_text("utf-8")).get("model_type")
    except (OSError, ValueError, AttributeError):
        return None


def _intact(file: Path) -> bool:
    """Is the file what its name in the cache says: its SHA-256, or as git names small ones?"""
    blob = file.resolve()
    if len(blob.name) == 64:
        digest = hashlib.sha256()
    else:
        digest = hashlib.sha1(b"blob %d\0" % blob.stat().st_size, usedforsecurity=False)
    with blob.open("rb") as data:
        while piece := data.read(CHUNK):
            digest.update(piece)
    return digest.hexdigest() == blob.name


@contextmanager
def _asked(name: str) -> Generator[None, None, None]:
    """Raises CheckpointError for whatever the hub, or the way there, has against it."""
    import httpx2
    from huggingface_hub import errors

    page = f"https://huggingface.co/{name}"
    try:
        yield
    except errors.GatedRepoError as error:
        raise CheckpointError(
            tr(
                "{name} is for those who accept its licence: do that at {page}, and set HF_TOKEN to your token.",
                name=name,
                page=page,
            )
        ) from error
    except errors.RepositoryNotFoundError as error:
        raise CheckpointError(
            tr("The hub knows no {name}, or shows it only to those who log in: is the name right?", name=name)
        ) from error
    except (errors.EntryNotFoundError, errors.HFValidationError) as error:
        raise CheckpointError(
            tr("{name} is no checkpoint that can be loaded: give the name of a DiffusionGemma.", name=name)
        ) from error
    except errors.OfflineModeIsEnabled as error:
        raise CheckpointError(tr("HF_HUB_OFFLINE is set, so nothing is fetched: unset it.")) from error
    except (errors.HfHubHTTPError, errors.LocalEntryNotFoundError, httpx2.HTTPError, OSError) as error:
        raise CheckpointError(
            tr(
                "{name} was not fetched ({kind}): see to the network and try again; what came is kept.",
                name=name,
                kind=type(error).__name__,
            )
        ) from error
