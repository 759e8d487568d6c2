"""The sampler's rules against transformers' own."""

from typing import Any

import pytest
import torch
from transformers.models.diffusion_gemma.generation_diffusion_gemma import (
    EntropyBoundSampler,
    EntropyBoundSamplerConfig,
    LinearTemperatureScheduleLogitsProcessor,
)

from palimpsest.engine.sampler import Schedule, accept, entropy


@pytest.mark.parametrize("step", [1, 7, 48])
def test_temperature_is_the_released_schedule(step):
    theirs: Any = LinearTemperatureScheduleLogitsProcessor(0.4, 0.8, 48)
    logits = torch.tensor([1.0])
    assert 1 / Schedule().temperature(step) == pytest.approx(theirs(None, logits, cur_step=48 - step + 1).item())


@pytest.mark.parametrize("bound", [0.1, 1.0, 20.0])
@pytest.mark.parametrize("sharpness", [0.1, 3.0, 10.0])
def test_acceptance_is_the_released_rule(bound, sharpness):
    logits = torch.randn(40, 50, generator=torch.Generator().manual_seed(0)) * sharpness
    sampler: Any = EntropyBoundSampler(EntropyBoundSamplerConfig(bound), 40, 50, 48)
    ids = torch.zeros(1, 40, dtype=torch.long)
    sampler.accept_canvas(ids, ids, logits[None], 1)
    ours = accept(entropy(logits.log_softmax(-1)), bound)
    assert sampler.accepted_token_mask is not None
    assert torch.equal(ours, sampler.accepted_token_mask[0])


def test_one_position_is_always_accepted():
    assert accept(torch.tensor([5.0, 4.0, 6.0]), 0.1).tolist() == [False, True, False]
