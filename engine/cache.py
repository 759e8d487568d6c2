"""The prefix cache: keys and values of the text before the canvas, kept from one fill to the next.

All layers keep every token, so that a cut at any place leaves a valid cache: transformers' own sliding layers forget
what left the window, and after an edit the document would have to be read again.

Shapes: T new tokens, P tokens in the cache, K key heads, D head width.
"""

from collections.abc import Callable, Generator, Sequence
from copy import copy

import torch
from torch import Tensor

from palimpsest.engine.request import Reading

STEPS = 4  # the rest behind the last whole chunk is read in such parts of one
LEAST_CAPACITY = 512  # tokens; storage doubles from here

Added = list[tuple[Tensor, Tensor]]  # by layer, keys and values of new tokens, 1 K T D


class Layer:
    """Keys and values of one layer; ``window`` is how many tokens a query sees, itself among them, or None for all."""

    def __init__(self, window: int | None):
        self.window = window
        self._stored: Tensor | None = None  # 2 K capacity D

    def append(self, keys: Tensor, values: Tensor, at: int) -> tuple[Tensor, Tensor]:
        """Write 1 K T D keys and values behind the first ``at`` and return those the T new tokens may see."""
        new = torch.cat([keys, values])
        end = at + new.shape[2]
        stored = self._stored
        if stored is None or stored.shape[2] < end:
            capacity = max(LEAST_CAPACITY, 1 << (end - 1).bit_length())
            self._stored = new.new_empty(2, new.shape[1], capacity, new.shape[3])
            if stored is not None:
                self._stored[:, :, :at] = stored[:, :, :at]
            stored = self._stored
        stored[:, :, at:end] = new
        start = _first_seen(at, self.window)
        return stored[:1, :, start:end], stored[1:, :, start:end]

    def seen(self, length: int) -> tuple[Tensor, Tensor]:
        """What a token right behind the first ``length`` sees of them: keys and values, 1 K P D."""
        return self.first(length, _first_seen(length, self.window))

    def first(self, length: int, start: int = 0) -> tuple[Tensor, Tensor]:
        """Keys and values of the tokens from ``start`` to ``length``, 1 K P D."""
        assert self._stored is not None
        return self._stored[:1, :, start:length], self._stored[1:, :, start:length]


class PrefixCache:
    """Keys and values of the tokens ``ids``. The encoder's attention appends to it, and reads what it returns."""

    is_compileable = False  # transformers asks whether shapes are static

    def __init__(self, windows: Sequence[int | None]):
        self.ids: list[int] = []
        self.layers = [Layer(window) for window in windows]

    @property
    def length(self) -> int:
        return len(self.ids)

    def update(self, keys: Tensor, values: Tensor, layer: int) -> tuple[Tensor, Tensor]:
        """Take a layer's keys and values of new tokens; they count once ``ids`` has grown by them."""
        return self.layers[layer].append(keys, values, len(self.ids))

    def grow(self, ids: Sequence[int]) -> None:
        """Count ``ids``, whose keys and values all layers have taken."""
        self.ids += ids

    def copy(self, length: int) -> "PrefixCache":
        """A cache of its own for the first ``length`` tokens."""
        cache = PrefixCache([layer.window for layer in self.layers])
        if length:
            for new, layer in zip(cache.layers, self.layers, strict=True):
                new.append(*layer.first(length), at=0)
            cache.ids = self.ids[:length]
        return cache


class Prefix:
    """What stands before a canvas: the first tokens of a cache, and a rest of its own that the cache need not keep.

    The encoder's attention appends to the rest; the decoder's reads all.
    """

    class Seen:
        """Keys and values as attention reads them, 1 K P D."""

        def __init__(self, keys: Tensor, values: Tensor):
            self.keys, self.values = keys, values

    is_compileable = False

    def __init__(self, cache: PrefixCache, length: int):
        self.length = length
        self.added: Added = []
        self._windows = [layer.window for layer in cache.layers]
        self.layers = [self.Seen(*layer.seen(length)) for layer in cache.layers] if length else []

    def update(self, keys: Tensor, values: Tensor, layer: int) -> tuple[Tensor, Tensor]:
        """Take a layer's keys and values of new tokens."""
        self.added = [*self.added[:layer], (keys, values)]
        if layer == len(self.layers):
            self.layers.append(self.Seen(keys, values))
        else:
            seen = self.layers[layer]
            seen.keys, seen.values = torch.cat([seen.keys, keys], 2), torch.cat([seen.values, values], 2)
        return self.layers[layer].keys, self.layers[layer].values

    def grow(self, ids: Sequence[int]) -> None:
        """Count ``ids``, whose keys and values all layers have taken."""
        self.length += len(ids)
        for layer, window in zip(self.layers, self._windows, strict=True):
            start = _first_seen(layer.keys.shape[2], window)
            layer.keys, layer.values = layer.keys[:, :, start:], layer.values[:, :, start:]

    def without_last(self) -> "Prefix":
        """The same without its last token; where a window ends, what is seen begins one token later."""
        view = copy(self)
        view.length -= 1
        view.layers = [self.Seen(layer.keys[:, :, :-1], layer.values[:, :, :-1]) for layer in self.layers]
        return view

    def seen_by(self, batch: int) -> "Prefix":
        """The same for a batch of canvases."""
        view, size = copy(self), (batch, -1, -1, -1)
        view.layers = [self.Seen(layer.keys.expand(size), layer.values.expand(size)) for layer in self.layers]
        return view


class Shelf:
    """The caches of the last few texts, together at most about ``limit`` tokens.

    Texts are read in pieces that lie where they lie in every text: chunks, which are kept, and a rest in smaller steps,
    which is kept until the next reading. So what a fill sees of its prefix is the same to the bit, whatever was cached.
    ``encode(cache, ids)`` appends ids.
    """

    def __init__(self, encode: Callable, windows: Sequence[int | None], chunk: int, limit: int):
        self._encode, self._windows, self._chunk, self._limit = encode, windows, chunk, limit
        self._step = chunk // STEPS
        self._caches: list[PrefixCache] = []  # the last used comes last
        self._rest: list[tuple[list[int], Added]] = []  # the pieces behind the last reading's whole chunks
        self._base: list[int] = []  # the ids before those

    def read(self, ids: list[int]) -> Generator[Reading, None, Prefix]:
        """The prefix ``ids`` (one at least), reading what no cache holds. Tells after each chunk."""
        cache, chunk = self._find(ids), self._chunk
        whole = len(ids) // chunk * chunk
        known = min(whole, shared(cache.ids, ids) // chunk * chunk)
        if known < whole:
            del cache.ids[known:]
        for start in range(known, whole, chunk):
            self._encode(cache, ids[start : start + chunk])
            yield Reading(cache.length, len(ids))
        if self._base != ids[:whole]:
            self._base, self._rest = ids[:whole], []
        prefix = Prefix(cache, whole)
        for number, start in enumerate(range(whole, len(ids), self._step)):
            piece = ids[start : start + self._step]
            if self._rest[number : number + 1] and self._rest[number][0] == piece:
                for layer, (keys, values) in enumerate(self._rest[number][1]):
                    prefix.update(keys, values, layer)
                prefix.grow(piece)
            else:
                self._encode(prefix, piece)
                self._rest[number:] = [(piece, prefix.added)]
        return prefix

    def _find(self, ids: Sequence[int]) -> PrefixCache:
        """The cache that shares the longest beginning with ``ids``; where that is less than half of the shorter, a new
        one with what is shared.

        Two documents may begin alike, and reading one shall not cost the other its cache.
        """
        best = max(self._caches, key=lambda cache: shared(cache.ids, ids), default=PrefixCache(self._windows))
        common = shared(best.ids, ids)
        if 2 * common < min(best.length, len(ids)):
            best = best.copy(common // self._chunk * self._chunk)
        self._caches = [cache for cache in self._caches if cache is not best and cache.ids]
        while self._caches and len(ids) + sum(cache.length for cache in self._caches) > self._limit:
            del self._caches[0]
        self._caches.append(best)
        return best


def _first_seen(length: int, window: int | None) -> int:
    """The first of ``length`` tokens that the one right behind them sees."""
    return max(0, length - window + 1) if window else 0


def shared(first: Sequence[int], second: Sequence[int]) -> int:
    """How many ids two rows share at their beginning."""
    pairs = enumerate(zip(first, second, strict=False))
    return next((place for place, (one, other) in pairs if one != other), min(len(first), len(second)))
