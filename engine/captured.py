"""One denoising step with static shapes, so that a GPU can replay it whole as a graph: no host sync inside.

It does what ``denoise.step`` does, for canvases of one width behind a prefix of at most so many tokens. Everything that
changes from step to step (canvas, pins, temperature, seed) lies on the device. The prefix is copied in once and masked
to its length. While a step is read, the next one runs already.

Shapes: B canvases, W positions, P room for prefix tokens, K key heads, D head width, C hidden, V vocabulary.
"""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from palimpsest.engine.cache import Prefix
from palimpsest.engine.canvas import Canvas
from palimpsest.engine.denoise import State
from palimpsest.engine.kernels.reference import Prediction
from palimpsest.engine.model import FULL, SLIDING, Model
from palimpsest.engine.sampler import Schedule, accept, noise

ROOMS = (512, 2048, 8192)  # tokens of a prefix that steps are captured for
KEPT = 4  # captured steps: each holds the keys and values of a prefix
WARM_UP = 3  # steps that are run before one is captured, as CUDA graphs want it

# hidden (N C), embeddings (V C), cap, temperature (1), seed (1), embedding's scale, type of the logits kept
Predict = Callable[[Tensor, Tensor, float, Tensor, Tensor, float, torch.dtype], Prediction]


@dataclass(frozen=True)
class _Seen:
    """What the decoder's attention reads of a prefix."""

    layers: list[Prefix.Seen]
    is_compileable: bool = False


class Step:
    """A captured step for at most B canvases; called with a State it returns the next one. One fill at a time.

    What it returns lies in the host's memory but for the guess, and is read while the device takes the step after it;
    that one is undone if the next call brings another State, since a canvas has left.
    """

    def __init__(self, model: Model, batch: int, width: int, room: int, predict: Predict, pool: Any = None):
        self._model, self._predict, self._pool = model, predict, pool
        self.shape, self.room = (batch, width), room
        device, network = model.device, model.network
        self._decoder: Any = network.model.decoder
        text: Any = network.config.text_config
        self._kinds: list[str] = text.layer_types
        # What a step reads and writes.
        self._current, self._best, self._standing = torch.zeros(3, batch, width, dtype=torch.long, device=device)
        self._free = torch.zeros(batch, width, dtype=torch.bool, device=device)
        self._confidence = torch.zeros(batch, width, device=device)
        self._repeats = torch.zeros(batch, dtype=torch.long, device=device)
        self._finished = torch.zeros(batch, dtype=torch.bool, device=device)
        self._guess = torch.zeros(batch, width, text.hidden_size, dtype=network.dtype, device=device)
        self._pinned = torch.ones(
            1, dtype=network.dtype, device=device
        )  # what conditions pins: 1 themselves, 0 nothing
        self._temperature = torch.ones(1, device=device)
        self._seed = torch.zeros(1, dtype=torch.int32, device=device)
        self._bound, self._sure = torch.zeros(2, device=device)
        self._stable = torch.zeros((), dtype=torch.long, device=device)
        # The prefix: of sliding layers the last tokens, right-aligned, so that the window is the room.
        self._rooms = {SLIDING: min(room, text.sliding_window - 1), FULL: room}
        self._keys: list[Tensor] = []
        self._values: list[Tensor] = []
        self._masks = {
            kind: torch.zeros(1, 1, 1, size + width, dtype=network.dtype, device=device)
            for kind, size in self._rooms.items()
        }
        self._position = torch.zeros(1, width, dtype=torch.long, device=device)
        self.generator = torch.Generator(device)
        self._graph: Any = None  # a torch.cuda.CUDAGraph, which a torch without CUDA lacks
        self._side = torch.cuda.Stream() if device.type == "cuda" else None  # copies to the host
        self._schedule = Schedule()
        self._ahead: State | None = None  # what the device has taken a step from already
        self._random = self.generator.get_state()  # before that step

    def begin(self, prefix: Prefix, schedule: Schedule, seed: int) -> None:
        """Get ready for a fill behind ``prefix``, which there must be room for."""
        assert prefix.length <= self.room
        self._schedule, self._ahead = schedule, None
        self._bound.fill_(schedule.entropy_bound)
        self._sure.fill_(schedule.confidence)
        self._stable.fill_(schedule.stability)
        self._position.copy_(torch.arange(prefix.length, prefix.length + self.shape[1])[None])
        for number, (kind, layer) in enumerate(zip(self._kinds, prefix.layers, strict=True)):
            size = self._rooms[kind]
            known = min(size, layer.keys.shape[2])
            if number == len(self._keys):
                empty = layer.keys.new_zeros(1, layer.keys.shape[1], size, layer.keys.shape[3])
                self._keys.append(empty)
                self._values.append(empty.clone())
            self._keys[number][:, :, size - known :] = layer.keys[:, :, layer.keys.shape[2] - known :]
            self._values[number][:, :, size - known :] = layer.values[:, :, layer.values.shape[2] - known :]
            self._masks[kind][..., : size - known] = -torch.inf
            self._masks[kind][..., size - known :] = 0
        if self._graph is None and self._side is not None:
            self._graph = self._captured(self._side)
        self.generator.manual_seed(seed)
        self._seed.fill_(seed % 2**31)

    def __call__(self, state: State) -> State:
        """The next step of the fill that has begun."""
        if state is not self._ahead:
            if self._ahead is not None:
                self.generator.set_state(self._random)
                self._seed -= 1
            self._take(state)
            self._launch(state.number + 1)
        rows = len(state.rows)
        told = (self._current, self._best, self._confidence, self._repeats, self._finished, self._guess)
        *told, guess = (part[:rows].clone() for part in told)
        if self._side is not None:
            self._side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self._side) if self._side else nullcontext():
            current, best, confidence, repeats, finished = (part.to("cpu", non_blocking=True) for part in told)
        stay = state.rows.cpu(), state.free.cpu(), state.standing.cpu()
        reached = State(state.number + 1, *stay, current, best, confidence, repeats, finished, guess.unbind())
        self._ahead = None
        if reached.number < self._schedule.max_steps:
            self._random = self.generator.get_state()
            self._launch(reached.number + 1)
            self._ahead = reached
        if self._side is not None:
            self._side.synchronize()
        return reached

    def _take(self, state: State) -> None:
        model, rows = self._model, len(state.rows)
        self._free[:rows], self._free[rows:] = state.free, False  # canvases that have left leave nothing to decide
        self._standing[:rows] = state.standing
        self._current[:rows], self._best[:rows], self._repeats[:rows] = state.current, state.best, state.repeats
        table, scale = self._decoder.embed_tokens.weight, self._decoder.embed_tokens.embed_scale
        if state.guess is None:
            marked = table.mean(0) * scale
            self._guess.copy_(marked if model.delete is not None else torch.zeros_like(marked))
        elif state.number == 0:  # of a revised canvas: probabilities
            expected = torch.cat(state.guess).to(table.dtype) @ table * scale
            self._guess[self._free] = expected.to(self._guess.dtype)
        else:
            self._guess[:rows] = torch.stack(state.guess)

    def _launch(self, number: int) -> None:
        self._temperature.fill_(self._schedule.temperature(number))
        self._pinned.fill_(number > 1 or self._model.delete is not None)
        if self._graph is None:
            self._run()
        else:
            self._graph.replay()

    def _captured(self, stream: Any) -> Any:
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(WARM_UP):
                self._run()
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        graph.register_generator_state(self.generator)
        with torch.cuda.graph(graph, pool=self._pool):
            self._run()
        return graph

    @torch.inference_mode()
    def _run(self) -> None:
        """As in ``denoise.step``, over all positions."""
        free, decoder = self._free, self._decoder
        # 1. Decode.
        embedding = decoder.embed_tokens
        embedded = embedding(self._current)
        soft = torch.where(free[..., None], self._guess, embedded * self._pinned)
        hidden = self._layers(decoder.self_conditioning(embedded, soft)).flatten(0, 1)
        # 2. Propose and accept.
        cap, scale = self._model.network.final_logit_softcapping, float(embedding.scalar_embed_scale)
        kept = torch.bfloat16 if hidden.dtype == torch.bfloat16 else torch.float32
        found = self._predict(hidden, embedding.weight, cap, self._temperature, self._seed, scale, kept)
        entropies = torch.where(free, found.entropy.view(free.shape), 0)
        proposal = torch.where(free, found.proposal.view(free.shape), self._current)
        accepted = accept(entropies, self._bound)
        # 3. Renoise.
        random = noise(free.shape, len(embedding.weight), self.generator)
        unsure = torch.where(self._standing >= 0, self._standing, random)
        self._current.copy_(torch.where(free & ~accepted, unsure, proposal))
        # 4. Stop.
        best = torch.where(free, found.likeliest.view(free.shape), self._best)
        self._repeats.copy_(torch.where((best == self._best).all(-1), self._repeats + 1, 0))
        confident = entropies.sum(-1) / free.sum(-1) < self._sure
        self._finished.copy_(confident & (self._repeats >= self._stable))
        self._best.copy_(best)
        self._confidence.copy_(torch.where(free, found.confidence.view(free.shape), 1))
        # 5. Condition.
        self._guess.copy_(found.expected.view(self._guess.shape))
        self._seed += 1

    def _layers(self, hidden: Tensor) -> Tensor:
        batch, decoder = len(hidden), self._decoder
        masks = {kind: mask.expand(batch, -1, self.shape[1], -1) for kind, mask in self._masks.items()}
        size = (batch, -1, -1, -1)
        pairs = zip(self._keys, self._values, strict=True)
        seen = _Seen([Prefix.Seen(keys.expand(size), values.expand(size)) for keys, values in pairs])
        return decoder.norm(self._model.layers(decoder, hidden, self._position, masks, seen))


class Steps:
    """The captured steps of one model, made when first needed; the last KEPT ones are kept."""

    def __init__(self, model: Model, predict: Predict):
        self._model, self._predict = model, predict
        self._steps: dict[tuple[int, int, int], Step] = {}  # the last used comes last
        # What they compute with may lie in the same memory: one runs at a time, and what it tells is copied.
        self._pool = torch.cuda.graph_pool_handle() if model.device.type == "cuda" else None

    def ready(self, canvas: Canvas, prefix: Prefix, schedule: Schedule, seed: int) -> Step:
        """A step for ``canvas`` behind ``prefix``, begun; its generator is the one to draw noise from."""
        batch, width = canvas.ids.shape
        longest = -(-prefix.length // ROOMS[-1]) * ROOMS[-1]
        room = next(room for room in (*ROOMS, longest) if room >= prefix.length)
        shape = (1 << (batch - 1).bit_length(), width, room)
        step = self._steps.pop(shape, None) or Step(self._model, *shape, self._predict, self._pool)
        self._steps[shape] = step
        while len(self._steps) > KEPT:
            del self._steps[next(iter(self._steps))]
        step.begin(prefix, schedule, seed)
        return step
