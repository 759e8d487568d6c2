"""The sampler's rules against transformers' own."""

from typing import Any

import pytest
import torch
from transformers.models.diffusion_gemma.generation_diffusion_gemma import (
    EntropyBoundSampler,
    EntropyBoundSamplerConfig,
    LinearTemperatureScheduleLogitsProcessor,
)

from palimpsest.engine import Options, RequestError
from palimpsest.engine.sampler import Schedule, accept, draw_as_released, draw_by_inversion, entropy


@pytest.mark.parametrize("step", [1, 7, 48])
def test_temperature_is_the_released_schedule(step):
    theirs: Any = LinearTemperatureScheduleLogitsProcessor(0.4, 0.8, 48)
    logits = torch.tensor([1.0])
    assert 1 / Schedule().temperature(step) == pytest.approx(theirs(None, logits, cur_step=48 - step + 1).item())


@pytest.mark.parametrize("bound", [0.1, 1.0, 20.0])
@pytest.mark.parametrize("sharpness", [0.1, 3.0, 10.0])
def test_acceptance_is_the_released_rule(bound, sharpness):
    logits = torch.randn(3, 40, 50, generator=torch.Generator().manual_seed(0)) * sharpness
    sampler: Any = EntropyBoundSampler(EntropyBoundSamplerConfig(bound), 40, 50, 48)
    ids = torch.zeros(3, 40, dtype=torch.long)
    sampler.accept_canvas(ids, ids, logits, 1)
    ours = accept(entropy(logits.softmax(-1)), bound)
    assert sampler.accepted_token_mask is not None
    assert torch.equal(ours, sampler.accepted_token_mask)


def test_one_position_is_always_accepted_and_pins_cost_nothing():
    assert accept(torch.tensor([[5.0, 4.0, 6.0]]), 0.1).tolist() == [[False, True, False]]
    assert accept(torch.tensor([[5.0, 0.0, 4.0, 0.0, 6.0]]), 0.1).tolist() == [[False, True, True, True, False]]


@pytest.mark.parametrize("draw", [draw_by_inversion, draw_as_released])
def test_tokens_are_drawn_as_probable_as_they_are(draw):
    """Chi-square over 200,000 draws of each row; impossible tokens never come."""
    count, generator = 200_000, torch.Generator().manual_seed(0)
    logits = torch.randn(3, 12, generator=generator) * 2
    logits[0, 0] = logits[1, -1] = logits[2, 3:9] = -torch.inf
    for row in logits.softmax(-1):
        rows = row.expand(count, -1)
        drawn = draw(rows, torch.ones(1, count, dtype=torch.bool), generator)
        seen = torch.bincount(drawn, minlength=12)
        assert not seen[row == 0].any()
        expected = row[row > 0] * count
        chi_square = ((seen[row > 0] - expected) ** 2 / expected).sum().item()
        assert chi_square < 35  # 11 degrees of freedom at most: exceeded by chance once in 4,000


def test_the_cheap_draw_takes_one_random_number_a_position():
    ours, counted = (torch.Generator().manual_seed(3) for _ in range(2))
    draw_by_inversion(torch.full((7, 1000), 1e-3), torch.ones(1, 7, dtype=torch.bool), ours)
    torch.rand(7, generator=counted)
    assert torch.equal(ours.get_state(), counted.get_state())


def test_every_released_setting_can_be_given():
    options = Options(max_steps=12, t_min=0.2, t_max=0.9, entropy_bound=0.5, confidence=0.0, stability=2)
    assert Schedule().adapted(options) == Schedule(12, 0.2, 0.9, 0.5, 0.0, 2)
    assert Schedule().adapted(Options()) == Schedule(48, 0.4, 0.8, 0.1, 0.005, 1)


def test_a_rising_temperature_is_refused():
    with pytest.raises(RequestError, match=r"t_min is 0\.9 and t_max is 0\.8"):
        Schedule().adapted(Options(t_min=0.9))


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("strength", (-0.1, 1.1, float("nan"), None)),
        ("t_min", (0, -1, float("inf"))),
        ("t_max", (0, float("nan"))),
        ("entropy_bound", (-1, float("nan"))),
        ("confidence", (-1,)),
        ("alternatives", (0, 1.5, 1000, None)),
        ("max_steps", (0, 2.5, 2**64)),
        ("seed", (-1, 2**64)),
        ("length", (0, -1, 5000)),
    ],
)
def test_options_say_what_is_wrong(name, values):
    for value in values:
        with pytest.raises(RequestError, match=rf"^{name} is .*: give a (whole )?number from"):
            Options(**{name: value})
