"""How fast a denoising step of the released model is on this GPU, and whether the kernels are right here.

    python -m palimpsest.engine.bench --gpu [--json PATH] [--precisions bf16 fp8 int4]

Needs nothing but the machine: the released model's full shapes with random weights, whose values a step's time does not
depend on. Reported:

ceilings       bytes copied per second, and bf16 operations per second, measured here
errors         each kernel against its twin in plain torch on random inputs: the greatest difference over
               the greatest value
steps          ms of a captured step in a fill of 16, by precision, width and batch; bytes and operations it needs at
               the least, and its time over that of the ceilings
parts          ms of all layers' experts and of the sampler, launched one by one, and what a whole captured step takes
               beside those
transformers   ms of a step of generate(), not compiled, with grouped_mm on the same bf16 weights
tokens_per_s   of one 256-token canvas in so many steps, with the pass that reads it afterwards
first_draft    ms behind a prefix of so many tokens, read for this or known already
peak_mb        most memory held, with 8,192 tokens read
"""

import gc
import time
from collections.abc import Callable
from dataclasses import replace
from statistics import median
from typing import Any

import torch
from tokenizers import Tokenizer
from torch import Tensor
from transformers import DiffusionGemmaConfig

from palimpsest.engine import PRECISIONS, experts, loading
from palimpsest.engine.canvas import Canvas
from palimpsest.engine.captured import Predict, Step
from palimpsest.engine.denoise import State, begin
from palimpsest.engine.detokenize import Detokenizer
from palimpsest.engine.kernels import operators, reference
from palimpsest.engine.kernels.formats import FORMATS, pack
from palimpsest.engine.model import Model
from palimpsest.engine.quant import format_of, put, share
from palimpsest.engine.sampler import Schedule, draw_by_inversion
from palimpsest.engine.training.architecture import VISION
from palimpsest.engine.weights import SHIPPED

RUNS = 20
WALK = 16  # steps of a fill that is timed
WIDTHS, BATCHES = (32, 64, 128, 256), (1, 4, 8)
STEPS = (8, 12, 16, 24, 48)
PREFIXES = (512, 2048, 8192)
PREFIX = 512  # tokens behind which steps are timed
SPARE = 4 << 30  # bytes of the card's memory for all that is no weight


def released() -> DiffusionGemmaConfig:
    """The released model's configuration, its vision tower left out."""
    return DiffusionGemmaConfig(
        text_config={
            "vocab_size": 262_144,
            "hidden_size": 2816,
            "intermediate_size": 2112,
            "num_hidden_layers": 30,
            "layer_types": (["sliding_attention"] * 5 + ["full_attention"]) * 5,
            "num_attention_heads": 16,
            "num_key_value_heads": 8,
            "head_dim": 256,
            "global_head_dim": 512,
            "num_global_key_value_heads": 2,
            "attention_k_eq_v": True,
            "sliding_window": 1024,
            "num_experts": 128,
            "top_k_experts": 8,
            "moe_intermediate_size": 704,
        },
        vision_config=VISION,
        canvas_length=256,
    )


def invented(config: DiffusionGemmaConfig, precision: str, device: torch.device, dtype: torch.dtype) -> Model:
    """A model with random weights, the same ones for every precision, packed as they are made."""
    network = loading.empty(config, device)
    generator = torch.Generator(device)
    for number, (name, shape) in enumerate(loading.expected(network).items()):
        generator.manual_seed(number)

        def rows(start: int, end: int, name: str = name, shape: torch.Size = shape) -> Tensor:
            return _random(name, torch.Size([end - start, *shape[1:]]), generator, dtype)

        packed = loading.in_pieces(shape, format_of(name, precision), rows)
        if packed.format == "bf16":
            loading.assign(network, name, packed.values)
        else:
            put(network, name, packed)
    share(network)
    experts.use(network.eval())
    tokenizer = Tokenizer.from_file(str(SHIPPED / "tokenizer.json"))
    detokenizer = Detokenizer(tokenizer, (1,))
    name = f"random {precision}"
    return Model(network, tokenizer, detokenizer, Schedule(), name, (1,), None, False, draw_by_inversion, 512)


def _random(name: str, shape: torch.Size, generator: torch.Generator, dtype: torch.dtype) -> Tensor:
    if len(shape) < 2:
        return torch.ones(shape, dtype=dtype, device=generator.device)
    weight = torch.empty(shape, dtype=dtype, device=generator.device)
    return weight.normal_(std=0.02 if "embed" in name else shape[-1] ** -0.5, generator=generator)


def clock(run: Callable[[], object], device: torch.device, runs: int = RUNS) -> float:
    """Median milliseconds that the device takes for ``run``, once warm."""
    if device.type != "cuda":
        return waited(run, device, runs)
    times = []
    for _ in range(runs + 2):
        begun, ended = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begun.record()
        run()
        ended.record()
        ended.synchronize()
        times.append(begun.elapsed_time(ended))
    return median(times[2:])


def waited(run: Callable[[], object], device: torch.device, runs: int = RUNS) -> float:
    """Median milliseconds until ``run`` returns, once warm and with nothing else under way."""
    times = []
    for _ in range(runs + 2):
        if device.type == "cuda":
            torch.cuda.synchronize()
        start = time.perf_counter()
        run()
        times.append(1e3 * (time.perf_counter() - start))
    return median(times[2:])


def ceilings(device: torch.device, dtype: torch.dtype, size: int) -> dict[str, float]:
    """What a copy of ``size`` squared numbers and a product of such matrices reach."""
    one, other = (torch.randn(size, size, device=device, dtype=dtype) for _ in range(2))
    copied = clock(lambda: other.copy_(one), device)
    multiplied = clock(lambda: one @ other, device)
    return {
        "copy_tb_per_s": round(2 * one.nbytes / copied / 1e9, 4),
        "matmul_tflop_per_s": round(2 * size**3 / multiplied / 1e9, 3),
    }


def errors(
    config: DiffusionGemmaConfig, predict: Predict, device: torch.device, dtype: torch.dtype
) -> dict[str, float]:
    """Each kernel against fp32 on fresh inputs: the greatest difference over the greatest value."""
    text: Any = config.text_config
    number, top_k, width, inner = text.num_experts, text.top_k_experts, text.hidden_size, text.moe_intermediate_size
    generator = torch.Generator(device).manual_seed(0)

    def random(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator, device=device).to(dtype)

    found: dict[str, float] = {}
    for format in FORMATS:
        gate_up = pack(random(number, 2 * inner, width) / width**0.5, format)
        down = pack(random(number, width, inner) / inner**0.5, format)
        for tokens in WIDTHS:
            hidden, weights = random(tokens, width), torch.rand(tokens, top_k, generator=generator, device=device)
            index = torch.rand(tokens, number, generator=generator, device=device).topk(top_k).indices
            wanted = reference.experts(hidden, index, weights, gate_up, down)
            ours = operators.experts(hidden, index, weights, gate_up, down)
            found[f"experts {format} {tokens}"] = _difference(ours, wanted)
        weight = pack(random(text.intermediate_size, width) / width**0.5, format)
        hidden = random(256, width)
        wanted = hidden.float() @ reference.unpack(weight).T
        found[f"linear {format}"] = _difference(operators.linear(hidden, weight), wanted)
    hidden, table = random(256, width), random(text.vocab_size, width) / width**0.5
    temperature, seed = torch.ones(1, device=device), torch.ones(1, dtype=torch.int32, device=device)
    ours = predict(hidden, table, 30.0, temperature, seed, 1.0, torch.bfloat16)
    logits = 30 * torch.tanh(hidden.float() @ table.float().T / 30)
    chosen = ours.likeliest[:, None]
    found["sampler likeliest"] = float((logits.amax(-1) - logits.gather(1, chosen).squeeze(1)).max())
    probabilities = logits.softmax(-1)
    found["sampler entropy"] = _difference(ours.entropy, torch.special.entr(probabilities).sum(-1))
    found["sampler expected"] = _difference(ours.expected, probabilities @ table.float())
    return {name: float(f"{value:.3g}") for name, value in found.items()}


def _difference(ours: Tensor, wanted: Tensor) -> float:
    return float((ours.float() - wanted).abs().max() / wanted.abs().max())


def needs(model: Model, shapes: dict[str, torch.Size], tokens: int) -> tuple[float, float]:
    """Bytes that a step of so many tokens reads at the least, and operations: of the experts those that uniform routing
    touches. ``shapes`` are those of the weights before they were packed."""
    decoder: Any = model.network.model.decoder
    text: Any = model.network.config.text_config
    touched = 1 - (1 - text.top_k_experts / text.num_experts) ** tokens
    size = operations = 0.0
    for name, tensor in decoder.state_dict().items():
        size += tensor.nbytes * (touched if ".experts." in name else 1)
    table = decoder.embed_tokens.weight
    size += table.nbytes  # for the logits and for what conditions the next step
    for name, shape in shapes.items():
        if ".decoder." not in name or len(shape) < 2:
            continue
        active = text.top_k_experts / text.num_experts if ".experts." in name else 2 if "embed" in name else 1
        operations += 2 * tokens * shape.numel() * active
    return size, operations


def prepared(model: Model, batch: int, width: int, length: int, predict: Predict) -> tuple[Step, State]:
    """A step for canvases that are free but for their last quarter, behind ``length`` tokens."""
    device = model.device
    ids = torch.randint(model.vocabulary, (batch, width), device=device)
    free = (torch.arange(width, device=device) < width * 3 // 4).expand(batch, -1).clone()
    canvas = Canvas(ids, free, torch.where(free, 0, -1))
    prefix = _read(model, length)
    step = Step(model, batch, width, length, predict)
    step.begin(prefix, replace(model.schedule, max_steps=WALK), 0)
    return step, begin(canvas, model.vocabulary, step.generator)


def _read(model: Model, length: int) -> Any:
    reading = model.shelf().read([n % 1000 for n in range(length)])
    while True:
        try:
            next(reading)
        except StopIteration as end:
            return end.value


def steps(model: Model, precision: str, ceiling: dict, predict: Predict, widths=WIDTHS, batches=BATCHES) -> dict:
    """ms of a step of each shape, and that over the card's own roofline."""
    found = {}
    shapes = loading.expected(loading.empty(model.network.config, model.device))
    for width in widths:
        for batch in batches:
            step, state = prepared(model, batch, width, PREFIX, predict)
            ms = clock(lambda step=step, state=state: _walk(step, state), model.device, 3) / WALK
            size, operations = needs(model, shapes, batch * width)
            floor = max(size / ceiling["copy_tb_per_s"], operations / ceiling["matmul_tflop_per_s"]) / 1e9
            found[f"{precision} {width}x{batch}"] = {
                "ms": round(ms, 3), "gb": round(size / 1e9, 2), "tflop": round(operations / 1e12, 3),
                "over_roofline": round(ms / floor, 2),
            }  # fmt: skip
    return found


def _walk(step: Step, state: State) -> None:
    for _ in range(WALK):  # the last one runs nothing ahead
        state = step(state)


def parts(model: Model, whole: float, predict: Predict, width: int) -> dict[str, float]:
    """Where the time of a step goes."""
    network: Any = model.network
    text: Any = network.config.text_config
    device, dtype = model.device, network.dtype
    hidden = torch.randn(width, text.hidden_size, device=device, dtype=dtype)
    index = torch.rand(width, text.num_experts, device=device).topk(text.top_k_experts).indices
    weights = torch.rand(width, text.top_k_experts, device=device, dtype=dtype)
    layers = network.model.decoder.layers
    own = clock(lambda: [experts.forward(layer.experts, hidden, index, weights) for layer in layers], device)
    temperature, seed = torch.ones(1, device=device), torch.ones(1, dtype=torch.int32, device=device)
    table = network.model.decoder.embed_tokens.weight
    sampled = clock(lambda: predict(hidden, table, 30.0, temperature, seed, 1.0, torch.bfloat16), device)
    return {"experts": round(own, 3), "sampler": round(sampled, 3), "rest": round(whole - own - sampled, 3)}


def transformers_step(model: Model, width: int) -> float:
    """ms of one step of generate(), from runs of two lengths."""
    network: Any = model.network
    network.set_experts_implementation(experts.THEIRS)
    ids = torch.ones(1, PREFIX, dtype=torch.long, device=model.device)
    network.generation_config.confidence_threshold = 1e-9  # never stop early

    def run(count: int) -> None:
        network.generate(ids, max_new_tokens=width, eos_token_id=None, max_denoising_steps=count)

    short, long = (clock(lambda count=count: run(count), model.device, runs=3) for count in (2, 10))
    experts.use(network)
    return round((long - short) / 8, 3)


def first_drafts(model: Model, predict: Predict, width: int, prefixes=PREFIXES) -> dict[str, float]:
    """ms to the first draft, the prefix known already or not."""
    found = {}
    for length in prefixes:
        step, state = prepared(model, 1, width, length, predict)
        prefix = _read(model, length)

        def draft(behind: Any, step: Step = step, state: Any = state) -> None:
            step.begin(behind, model.schedule, 0)
            step(state).best.tolist()

        draft(prefix)
        found[f"{length} known"] = round(waited(lambda p=prefix: draft(p), model.device, 5), 2)
        found[f"{length} cold"] = round(waited(lambda n=length: draft(_read(model, n)), model.device, 3), 2)
    return found


def measure(
    config: DiffusionGemmaConfig, device: torch.device, dtype: torch.dtype, predict: Predict, precisions=PRECISIONS,
    widths=WIDTHS, batches=BATCHES, prefixes=PREFIXES, square=8192,
) -> dict:  # fmt: skip
    """The whole report."""
    widest = max(widths)
    report: dict[str, Any] = {"ceilings": ceilings(device, dtype, square)}
    report["errors"] = errors(config, predict, device, dtype)
    report |= {"steps": {}, "parts": {}, "tokens_per_s": {}, "first_draft": {}, "peak_mb": {}}
    for precision in precisions:
        _forget(device)
        model = invented(config, precision, device, dtype)
        report["steps"] |= steps(model, precision, report["ceilings"], predict, widths, batches)
        one = report["steps"][f"{precision} {widest}x1"]["ms"]
        report["parts"][precision] = parts(model, one, predict, widest)
        read = clock(lambda model=model: _read(model, widest), device, 3)
        report["tokens_per_s"][precision] = {count: round(1e3 * widest / (count * one + read)) for count in STEPS}
        report["first_draft"][precision] = first_drafts(model, predict, widest, prefixes)
        if device.type == "cuda":
            report["peak_mb"][precision] = round(torch.cuda.max_memory_allocated(device) / 2**20)
        if precision == "bf16":
            theirs = transformers_step(model, widest)
            report["transformers"] = {"ms": theirs, "over_ours": round(theirs / one, 2)}
        del model
    return report


def _forget(device: torch.device) -> None:
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)


def run(precisions: list[str]) -> dict:
    """The report of this machine's GPU."""
    from palimpsest.engine.kernels.sampler import predict

    device = torch.device("cuda")
    card = torch.cuda.get_device_properties(device)
    report = {"card": card.name, "memory_mb": round(card.total_memory / 2**20), "torch": torch.__version__}
    config = released()
    shapes = loading.expected(loading.empty(config, device))
    fitting = [p for p in precisions if loading.size_of(shapes, p) + SPARE < card.total_memory]
    return report | measure(config, device, torch.bfloat16, predict, fitting)
