"""A server as vLLM is with DiffusionGemma, for tests: it says that it is vLLM, and reads canvases by our own engine.

Its strictness is that of ``palimpsest serve``, whose canvases follow vLLM's structured reads; what only we have is
missing. Its argument is the checkpoint, by default the shipped one. ``vllm_cpu.py`` beside it starts vLLM itself.
"""

import sys
from dataclasses import replace

from starlette.exceptions import HTTPException

from palimpsest.engine import server


class Completion(server.Completion):
    def seeded(self, tokens):
        """vLLM draws as it likes; here the canvas is the seed, so that a test does the same each time."""
        seeded = super().seeded(tokens)
        return seeded and replace(seeded, seed=hash(seeded.canvas))


class Double(server.Api):
    async def models(self, _request):
        model = {"id": "served", "object": "model", "owned_by": "vllm"}
        return server.JSONResponse({"object": "list", "data": [model]})

    async def fills(self, _request):
        raise HTTPException(404, "Not Found")

    async def complete(self, request, kind):
        asked = await request.json()
        if asked.get("seed") is not None or asked.get("temperature", 1) != 1:
            raise HTTPException(400, "The temperature and the seed are not supported with diffusion models.")
        return await super().complete(request, Completion if kind is server.Completion else kind)


CHECKPOINT = sys.argv[1] if len(sys.argv) > 1 else None
server.Api = Double
server.serve(CHECKPOINT, None, "127.0.0.1", 0, None, lambda _, url: print(url, flush=True))
