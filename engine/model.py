"""Loads DiffusionGemma, the shipped mini checkpoint and the released one alike.

Shapes: P prefix tokens, W canvas positions, V vocabulary.
"""

from dataclasses import dataclass
from pathlib import Path

import torch
from tokenizers import Tokenizer
from torch import Tensor
from transformers import Cache, DiffusionGemmaForBlockDiffusion, DynamicCache
from transformers.models.diffusion_gemma.configuration_diffusion_gemma import DiffusionGemmaTextConfig
from transformers.utils import logging as transformers_logging

from palimpsest.engine.device import pick_device
from palimpsest.engine.errors import CheckpointError
from palimpsest.engine.sampler import Schedule
from palimpsest.engine.weights import find

EXPERTS = "grouped_mm"
LONGEST_PREFIX = 8192  # tokens of text before the hole that are worth reading


@dataclass(frozen=True)
class Model:
    """A loaded checkpoint with its tokenizer and settings. ``delete`` is the id of ``<del>`` where it knows one."""

    network: DiffusionGemmaForBlockDiffusion
    tokenizer: Tokenizer
    schedule: Schedule
    name: str
    eos: int
    delete: int | None

    @property
    def device(self) -> torch.device:
        return self.network.device

    @property
    def _text_config(self) -> DiffusionGemmaTextConfig:
        config = self.network.config.text_config
        assert isinstance(config, DiffusionGemmaTextConfig)
        return config

    @property
    def vocabulary(self) -> int:
        return self._text_config.vocab_size

    @property
    def canvas_limit(self) -> int:
        length = self.network.config.canvas_length
        assert length
        return length

    @property
    def prefix_limit(self) -> int:
        return min(LONGEST_PREFIX, self._text_config.max_position_embeddings - self.canvas_limit)

    @torch.inference_mode()
    def encode(self, prefix: list[int]) -> Cache:
        """The keys and values of ``prefix`` (P ids, at least one)."""
        cache = DynamicCache(config=self._text_config)
        ids = torch.tensor([prefix], device=self.device)
        self.network.model.encoder(input_ids=ids, past_key_values=cache)
        return cache

    @torch.inference_mode()
    def decode(self, cache: Cache, canvas: Tensor, conditioning: Tensor | None) -> Tensor:
        """Logits of every canvas position behind ``cache``. W, W V -> W V, fp32"""
        if conditioning is not None:
            conditioning = conditioning[None].to(self.network.dtype)
        output = self.network(
            decoder_input_ids=canvas[None], past_key_values=cache, self_conditioning_logits=conditioning
        )
        return output.logits[0].float()


def load_model(checkpoint: str | Path | None = None) -> Model:
    """Load a checkpoint folder, by default the shipped one. Raises CheckpointError."""
    folder = find(checkpoint)
    # What goes wrong is checked and said below, in one sentence.
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    device, dtype = pick_device()
    network, report = DiffusionGemmaForBlockDiffusion.from_pretrained(  # pyright: ignore[reportGeneralTypeIssues]
        folder,
        dtype=dtype,
        device_map={"": device} if device.type != "cpu" else None,
        trust_remote_code=False,
        use_safetensors=True,
        local_files_only=True,
        output_loading_info=True,
    )
    if report["missing_keys"] or report["mismatched_keys"]:
        wrong = sorted(map(str, [*report["missing_keys"], *report["mismatched_keys"]]))
        raise CheckpointError(f"{folder} lacks {len(wrong)} weights, {wrong[0]} first: fetch the checkpoint again.")
    network.eval().set_experts_implementation(EXPERTS)
    if network.config.text_config._experts_implementation != EXPERTS:
        raise CheckpointError(
            f"transformers did not take the {EXPERTS} experts: install the pinned transformers version."
        )
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    # What the user wrote is text, even where it looks like a special token ("<del>" in a web page).
    tokenizer.encode_special_tokens = True
    settings = network.generation_config
    return Model(
        network,
        tokenizer,
        Schedule(
            settings.max_denoising_steps,
            settings.t_min,
            settings.t_max,
            settings.sampler_config.entropy_bound,
            settings.confidence_threshold,
        ),
        name=folder.name,
        eos=settings.eos_token_id[0],
        delete=tokenizer.token_to_id("<del>"),
    )
