"""A server as vLLM is with DiffusionGemma, for tests: it says that it is vLLM, and reads canvases by our own engine.

Its strictness is that of ``palimpsest serve``, whose canvases follow vLLM's documentation of structured reads; what
only we have is missing. With ``chats`` as its argument it tokenizes conversations too.
"""

import json
import sys

from starlette.exceptions import HTTPException

from palimpsest.engine import server

CHATS = "chats" in sys.argv


class Double(server.Api):
    async def models(self, _request):
        model = {"id": "served", "object": "model", "owned_by": "vllm"}
        return server.JSONResponse({"object": "list", "data": [model]})

    async def fills(self, _request):
        raise HTTPException(404, "Not Found")

    async def tokenize(self, request):
        asked = json.loads(await request.body())
        if CHATS and "messages" in asked:
            said = "".join(f"<|turn>{one['role']}\n{one['content']}<turn|>\n" for one in asked["messages"])
            ids = self._tokens.encode(f"{said}<|turn>model\n")
            return server.JSONResponse({"tokens": ids, "count": len(ids)})
        return await super().tokenize(request)


server.Api = Double
server.serve(None, None, "127.0.0.1", 0, None, lambda _, url: print(url, flush=True))
