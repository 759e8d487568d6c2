"""A server as vLLM is with DiffusionGemma, for tests: it says that it is vLLM, and reads canvases by our own engine.

Its strictness is that of ``palimpsest serve``, whose canvases follow vLLM's documentation of structured reads; what
only we have is missing. Its argument is the checkpoint, by default the shipped one.
"""

import sys

from starlette.exceptions import HTTPException

from palimpsest.engine import server


class Double(server.Api):
    async def models(self, _request):
        model = {"id": "served", "object": "model", "owned_by": "vllm"}
        return server.JSONResponse({"object": "list", "data": [model]})

    async def fills(self, _request):
        raise HTTPException(404, "Not Found")


CHECKPOINT = sys.argv[1] if len(sys.argv) > 1 else None
server.Api = Double
server.serve(CHECKPOINT, None, "127.0.0.1", 0, None, lambda _, url: print(url, flush=True))
