"""Loads DiffusionGemma, the shipped mini checkpoint and the released one alike.

Shapes: B canvases, W positions, N free positions of all, T new tokens, P tokens before them, C hidden, V vocabulary.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from torch import Tensor
from transformers import DiffusionGemmaForBlockDiffusion
from transformers.models.diffusion_gemma.configuration_diffusion_gemma import DiffusionGemmaTextConfig
from transformers.models.diffusion_gemma.generation_diffusion_gemma import DiffusionGemmaGenerationConfig
from transformers.models.diffusion_gemma.modeling_diffusion_gemma import apply_rotary_pos_emb

from palimpsest.engine import experts, loading
from palimpsest.engine.backend import Tell
from palimpsest.engine.cache import Prefix, PrefixCache, Shelf
from palimpsest.engine.detokenize import Detokenizer
from palimpsest.engine.device import free_memory, pick_device
from palimpsest.engine.errors import CheckpointError
from palimpsest.engine.language import tr
from palimpsest.engine.loading import fitting
from palimpsest.engine.ngrams import Ngrams
from palimpsest.engine.sampler import Draw, Schedule, draw_as_released, draw_by_inversion
from palimpsest.engine.weights import find, has_chat_template

SLIDING, FULL = "sliding_attention", "full_attention"
LONGEST_PREFIX = 8192  # tokens of text before the hole that are worth reading
WORKING = 4 << 30  # bytes of a GPU's memory for keys and values, and what a step computes with


@dataclass(frozen=True)
class Model:
    """A loaded checkpoint with its tokenizer and settings.

    ``ends`` are the ids that end a text, the first of them what stands behind it. ``delete`` is the id of ``<del>``
    where the checkpoint knows one; ``chats`` says that it was tuned to follow instructions in a conversation; ``draw``
    is how tokens are drawn, on a CPU with far fewer random numbers than the released code; ``chunk`` is how many tokens
    are read at a time; ``folder`` is where the checkpoint lies, if anywhere.
    """

    network: DiffusionGemmaForBlockDiffusion
    tokenizer: Tokenizer
    detokenizer: Detokenizer
    schedule: Schedule
    name: str
    ends: tuple[int, ...]
    delete: int | None
    chats: bool
    draw: Draw
    chunk: int
    folder: Path | None = None

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
        """How many tokens may be read before the canvas; half as many may be written at a time."""
        return min(LONGEST_PREFIX, (self._text_config.max_position_embeddings - self.canvas_limit) * 2 // 3)

    @property
    def _kinds(self) -> list[str]:
        kinds = self._text_config.layer_types
        assert kinds
        return kinds

    @property
    def windows(self) -> list[int | None]:
        """For each layer how many tokens a query sees, itself among them; None for all."""
        window = self._text_config.sliding_window
        return [window if kind == SLIDING else None for kind in self._kinds]

    def token(self, name: str) -> int:
        """The id of a token that every vocabulary here has."""
        index = self.tokenizer.token_to_id(name)
        assert index is not None, name
        return index

    def saying(self, words: Sequence[str]) -> list[int]:
        """The tokens that say one of ``words`` alone, with a blank before it or without."""
        spelled = (
            self.tokenizer.encode(blank + word, add_special_tokens=False).ids for word in words for blank in ("", " ")
        )
        return sorted({ids[0] for ids in spelled if len(ids) == 1})

    def shelf(self) -> Shelf:
        """A place for prefix caches."""
        return Shelf(self.encode, self.windows, self.chunk, 2 * self.prefix_limit)

    @torch.inference_mode()
    def encode(self, cache: PrefixCache | Prefix, ids: Sequence[int], seen: Tensor | None = None) -> None:
        """Read ``ids`` (T) behind those that ``cache`` holds, and have it hold them too. ``seen`` (N C) takes the place
        of the N soft tokens of pictures among them, which must be whole."""
        known, new = cache.length, len(ids)
        encoder: Any = self.network.model.encoder.language_model
        told = torch.tensor([ids], device=self.device)
        hidden, masks = encoder.embed_tokens(told), self._masks(known, new)
        if seen is not None:
            soft = told == self.network.config.image_token_id
            hidden = hidden.masked_scatter(soft[..., None], seen.to(hidden.dtype))
            if self._text_config.use_bidirectional_attention == "vision":
                masks = {kind: _open_pictures(mask, soft[0]) for kind, mask in masks.items()}
        self.layers(encoder, hidden, self._positions(known, new), masks, cache, keys_only=True)
        cache.grow(ids)

    @torch.inference_mode()
    def decode(
        self, prefix: Prefix, ids: Tensor, free: Tensor, guess: Tensor | None, read: Tensor | None = None
    ) -> Tensor:
        """Logits (N V, fp32) of the free positions, or those to ``read``, of canvases ``ids`` (B W) behind ``prefix``.

        The canvas is conditioned on ``guess`` (N V, probabilities) at free positions and on itself at pins. Without a
        guess, at the first step, the released model knows no conditioning; a checkpoint trained for holes is told which
        positions are free by conditioning them on the mean of all tokens.
        """
        decoder: Any = self.network.model.decoder
        embedded = decoder.embed_tokens(ids)  # B W C
        table, scale = decoder.embed_tokens.weight, decoder.embed_tokens.embed_scale
        if guess is not None:
            soft = embedded.masked_scatter(free[..., None], (guess.to(table.dtype) @ table) * scale.to(table.dtype))
        elif self.delete is not None:
            soft = torch.where(free[..., None], table.mean(0) * scale, embedded)
        else:
            soft = torch.zeros_like(embedded)
        hidden = decoder.self_conditioning(embedded, soft)
        masks = {SLIDING: None, FULL: None}
        positions = self._positions(prefix.length, ids.shape[1])
        hidden = self.layers(decoder, hidden, positions, masks, prefix.seen_by(len(ids)))
        return self._logits(decoder.norm(hidden[free if read is None else read]))

    @torch.inference_mode()
    def likelihood(
        self, prefix: Prefix, ids: Sequence[Tensor], weights: Sequence[Tensor], ngrams: Ngrams | None = None
    ) -> Tensor:
        """The log-probabilities of the tokens of B texts ``ids``, each of which begins with the last of ``prefix``:
        of each token but that given those before it, as the encoder reads them, and ``ngrams``; their sum by
        ``weights``. B

        What several begin with is read once.
        """
        places: dict[tuple[int, int], int] = {}  # in the tree of all texts, of a token below another
        counted: list[tuple[int, int, float, int]] = []  # the place before it, the token, its weight and its text
        for number, (text, weight) in enumerate(zip(ids, weights, strict=True)):
            parent, tokens = -1, text.tolist()
            for token, following, counts in zip(tokens, tokens[1:], weight.tolist()[1:], strict=False):
                parent = places.setdefault((parent, token), len(places))
                if counts:
                    counted.append((parent, following, counts, number))
        sums = torch.zeros(len(ids), device=self.device)
        if not counted:
            return sums
        seen = torch.eye(len(places), dtype=torch.bool)
        for place, (parent, _) in enumerate(places):
            if parent >= 0:
                seen[place] |= seen[parent]
        told = torch.tensor([token for _, token in places])
        log_probabilities = self.following(prefix.without_last(), told, seen.sum(1) - 1, seen)
        if ngrams:
            log_probabilities = ngrams.mixed(log_probabilities, [told[row].tolist() for row in seen])
        before, tokens, weight, number = (torch.tensor(row, device=self.device) for row in zip(*counted, strict=True))
        return sums.index_add(0, number, log_probabilities[before, tokens] * weight)

    @torch.inference_mode()
    def following(self, tree: Prefix, ids: Tensor, place: Tensor, seen: Tensor) -> Tensor:
        """The log-probabilities of what follows each of the tokens ``ids`` (T), the next of the N of a tree of texts,
        as the encoder reads them. ``tree`` holds the tokens before, and these from now on; ``place`` (N) tells how far
        down all tokens are, and ``seen`` (T N) which these see: those they stand behind, and themselves. T V"""
        encoder: Any = self.network.model.encoder.language_model
        ids, place, seen = (row.to(self.device) for row in (ids, place, seen))
        grown = len(place) - len(ids)
        layers = zip(self._kinds, tree.layers, self.windows, strict=True)
        known = {kind: (layer.keys.shape[2] - grown, window) for kind, layer, window in layers}
        masks = {kind: self._mask(count, place, seen, window) for kind, (count, window) in known.items()}
        positions = tree.length + place[None, grown:]
        hidden = self.layers(encoder, encoder.embed_tokens(ids[None]), positions, masks, tree)
        return self._logits(encoder.norm(hidden[0])).log_softmax(-1)

    def _logits(self, hidden: Tensor) -> Tensor:
        """N C -> N V, fp32"""
        logits = self.network.lm_head(hidden).float()
        cap = self.network.final_logit_softcapping
        return torch.tanh(logits / cap) * cap

    def _positions(self, start: int, count: int) -> Tensor:
        return torch.arange(start, start + count, device=self.device)[None]

    def layers(
        self, stack: Any, hidden: Tensor, positions: Tensor, masks: dict, cache: Any, keys_only: bool = False
    ) -> Tensor:
        """Run the layers of encoder or decoder on tokens ``hidden`` (B T C) at ``positions`` (1 T) behind ``cache``;
        ``keys_only`` leaves out of the last layer all but its keys and values."""
        rotary = {kind: stack.rotary_emb(hidden, positions, kind) for kind in set(self._kinds)}
        *_, last = stack.layers
        for layer, kind in zip(stack.layers, self._kinds, strict=True):
            if keys_only and layer is last:
                _remember(layer.self_attn, layer.input_layernorm(hidden), rotary[kind], cache)
            else:
                hidden = layer(
                    hidden, position_embeddings=rotary[kind], attention_mask=masks[kind], past_key_values=cache
                )
        return hidden

    def _masks(self, known: int, new: int) -> dict[str, Tensor]:
        """Those of one text of ``new`` tokens behind ``known`` ones, of which a layer with a window keeps the last.

        1 1 T P+T"""
        window = self._text_config.sliding_window
        place = torch.arange(new, device=self.device)
        seen = place <= place[:, None]
        return {
            SLIDING: self._mask(min(known, window - 1), place, seen, window),
            FULL: self._mask(known, place, seen, None),
        }

    def _mask(self, known: int, place: Tensor, seen: Tensor, window: int | None) -> Tensor:
        """0 where a token sees another in its window: the ``known`` ones of a prefix, and of N which stand at ``place``
        behind it those that are ``seen`` (T N) by each of the last T; -inf elsewhere. 1 1 T P+N"""
        keys = torch.cat([torch.arange(-known, 0, device=self.device), place])
        sees = torch.nn.functional.pad(seen, (known, 0), value=True)
        if window is not None:
            sees = sees & (place[-len(seen) :, None] - keys < window)
        mask = torch.zeros(sees.shape, dtype=self.network.dtype, device=self.device)
        return mask.masked_fill_(~sees, -torch.inf)[None, None]


def _open_pictures(mask: Tensor, soft: Tensor) -> Tensor:
    """``mask`` (1 1 T P+T) where the soft tokens (T) of a picture all see each other, as larger models are trained."""
    number = (soft & ~soft.roll(1)).cumsum(0)  # of the picture
    together = (number[:, None] == number) & soft[:, None] & soft
    known = mask.shape[-1] - len(soft)
    return mask.masked_fill(torch.nn.functional.pad(together, (known, 0)), 0.0)


def _remember(attention: Any, hidden: Tensor, rotary: tuple[Tensor, Tensor], cache: PrefixCache | Prefix) -> None:
    """Give ``cache`` the keys and values of one layer for tokens ``hidden`` (1 T C), as its attention does."""
    heads = (*hidden.shape[:-1], -1, attention.head_dim)
    keys = attention.k_proj(hidden).view(heads)
    values = attention.v_proj(hidden).view(heads) if attention.v_proj is not None else keys
    keys = apply_rotary_pos_emb(attention.k_norm(keys), *rotary, unsqueeze_dim=2)
    cache.update(keys.transpose(1, 2), attention.v_norm(values).transpose(1, 2), attention.layer_idx)


def load_model(
    checkpoint: str | Path | None = None, precision: str | None = None, tell: Tell = lambda _: None
) -> Model:
    """Load a checkpoint folder, by default the shipped one, with its weights in one of PRECISIONS, by default the most
    exact one that fits. ``tell`` learns of the progress, and may raise to end it. Raises CheckpointError."""
    folder = find(checkpoint)
    device, dtype = pick_device()
    precision = precision or (fitting(folder, free_memory(device), WORKING) if device.type == "cuda" else "bf16")
    network = loading.load(folder, precision, device, dtype, tell)
    experts.use(network)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    # What the user wrote is text, even where it looks like a special token ("<del>" in a web page).
    tokenizer.encode_special_tokens = True
    settings: Any = DiffusionGemmaGenerationConfig.from_pretrained(folder)
    ends = settings.eos_token_id
    if ends is None or settings.sampler_config is None or None in (settings.t_min, settings.t_max):
        raise CheckpointError(
            tr("{file} lacks settings: fetch the checkpoint again.", file=folder / "generation_config.json")
        )
    network.generation_config = settings
    ends = (ends,) if isinstance(ends, int) else tuple(ends)
    return Model(
        network,
        tokenizer,
        Detokenizer(tokenizer, ends),
        Schedule(
            settings.max_denoising_steps,
            settings.t_min,
            settings.t_max,
            settings.sampler_config.entropy_bound,
            settings.confidence_threshold,
            settings.stability_threshold,
        ),
        name=Path(checkpoint or folder).name,
        ends=ends,
        delete=tokenizer.token_to_id("<del>"),
        chats=has_chat_template(folder),
        draw=draw_by_inversion if device.type == "cpu" else draw_as_released,
        chunk=128 if device.type == "cpu" else 512,
        folder=folder,
    )
