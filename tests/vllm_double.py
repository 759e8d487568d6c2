"""A server as vLLM is with DiffusionGemma, for tests: it says that it is vLLM, and reads canvases by our own engine.

Its strictness is that of ``palimpsest serve``, whose canvases follow vLLM's documentation of structured reads; what only
we have is missing.
"""

import sys

from starlette.exceptions import HTTPException

from palimpsest.engine import server


class Double(server.Api):
    async def models(self, request):
        return server.JSONResponse(
            {"object": "list", "data": [{"id": "served", "object": "model", "owned_by": "vllm"}]}
        )

    async def fills(self, request):
        raise HTTPException(404, "Not Found")


server.Api = Double
server.serve(sys.argv[1] if sys.argv[1:] else None, None, "127.0.0.1", 0, None, lambda _, url: print(url, flush=True))
