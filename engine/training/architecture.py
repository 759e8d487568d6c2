"""The shapes of the checkpoints we train: the released model's classes, made small."""

from dataclasses import dataclass
from typing import Any

import torch
from tokenizers import Tokenizer
from torch import Tensor, nn
from transformers import DiffusionGemmaConfig, DiffusionGemmaForBlockDiffusion
from transformers.integrations.moe import ALL_EXPERTS_FUNCTIONS
from transformers.models.diffusion_gemma.generation_diffusion_gemma import (
    DiffusionGemmaGenerationConfig,
    EntropyBoundSamplerConfig,
)

CANVAS = 256  # widest canvas, tokens
# The classes build a vision tower whatever the checkpoint; this one is a stub and is never trained.
VISION = {
    "model_type": "gemma4_vision",
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "position_embedding_size": 64,
}
DENSE = "every_expert"  # how a GPU runs the experts in training
LONGEST = 6400  # read 4096 tokens, write 2048, in a canvas of 256


@dataclass(frozen=True)
class Size:
    """What differs between our sizes; ``vocabulary`` is what the tokenizer is trained to.

    Every third layer sees all tokens and the others ``window``, so that even the small ones have more than one such
    layer (the released pattern has every sixth).
    """

    vocabulary: int
    hidden: int
    layers: int
    dense: int  # width of the dense MLP
    experts: int
    top_k: int
    expert: int  # width of one expert
    heads: int
    window: int


SIZES = {
    "nano": Size(8192, hidden=192, layers=6, dense=384, experts=4, top_k=2, expert=96, heads=4, window=128),
    "mini": Size(8192, hidden=320, layers=8, dense=640, experts=16, top_k=2, expert=128, heads=8, window=128),
}


def config(tokenizer: Tokenizer, size: Size) -> DiffusionGemmaConfig:
    """The configuration of a checkpoint of ``size`` for ``tokenizer``."""
    kinds = ["full_attention" if layer % 3 == 2 else "sliding_attention" for layer in range(size.layers)]
    return DiffusionGemmaConfig(
        text_config={
            "vocab_size": tokenizer.get_vocab_size(),
            "hidden_size": size.hidden,
            "intermediate_size": size.dense,
            "num_hidden_layers": size.layers,
            "layer_types": [*kinds[:-1], "full_attention"],
            "num_attention_heads": size.heads,
            "num_key_value_heads": 2,
            "head_dim": 32,
            "global_head_dim": 32,
            "num_global_key_value_heads": 2,
            "max_position_embeddings": LONGEST,
            "sliding_window": size.window,
            "num_experts": size.experts,
            "top_k_experts": size.top_k,
            "moe_intermediate_size": size.expert,
        },
        vision_config=VISION,
        boi_token_id=tokenizer.token_to_id("<|image>"),
        image_token_id=tokenizer.token_to_id("<|image|>"),
        eoi_token_id=tokenizer.token_to_id("<image|>"),
        canvas_length=CANVAS,
    )


def fresh(configuration: DiffusionGemmaConfig) -> DiffusionGemmaForBlockDiffusion:
    """An untrained model in which what a layer adds is small beside what it is given.

    The classes' own start lets the embedding (0.28 of root mean square at this width) drown in what the layers add (1
    each): after 100 steps the next-token loss was 6.68 that way and 6.43 this way.
    """
    model = DiffusionGemmaForBlockDiffusion(configuration)
    language: Any = model.model.encoder.language_model  # transformers' modules tell no types
    with torch.no_grad():
        nn.init.normal_(language.embed_tokens.weight, std=language.embed_tokens.embedding_dim**-0.5)
        for layer in language.layers:
            layer.post_attention_layernorm.weight.fill_(0.2)
            layer.post_feedforward_layernorm.weight.fill_(0.2)
    return model


def generation_config(tokenizer: Tokenizer) -> DiffusionGemmaGenerationConfig:
    """The released model's generation settings with our tokenizer's ids, cooler and in a third of the steps.

    The released temperatures (0.8 to 0.4) keep so small a model from ever settling, and what it has not settled after
    16 steps gets no better.
    """
    return DiffusionGemmaGenerationConfig(
        max_denoising_steps=16,
        sampler_config=EntropyBoundSamplerConfig(entropy_bound=0.1),
        t_min=0.1,
        t_max=0.3,
        stability_threshold=1,
        confidence_threshold=0.005,
        bos_token_id=tokenizer.token_to_id("<bos>"),
        pad_token_id=tokenizer.token_to_id("<pad>"),
        eos_token_id=[tokenizer.token_to_id("<eos>"), tokenizer.token_to_id("<turn|>")],
    )


def every_expert(module: Any, hidden: Tensor, index: Tensor, weights: Tensor) -> Tensor:
    """Every token through every expert, those not chosen weighted with nothing; T H, T K, T K -> T H.

    With experts this small two large products cost a GPU less than sorting the tokens.
    """
    experts = module.gate_up_proj.shape[0]
    share = hidden.new_zeros(len(hidden), experts).scatter(1, index, weights.to(hidden.dtype))
    gate_up = nn.functional.linear(hidden, module.gate_up_proj.flatten(0, 1)).unflatten(1, (experts, -1))
    inner = module._apply_gate(gate_up) * share[..., None]
    return nn.functional.linear(inner.flatten(1), module.down_proj.transpose(0, 1).flatten(1)).to(hidden.dtype)


ALL_EXPERTS_FUNCTIONS.register(DENSE, every_expert)
