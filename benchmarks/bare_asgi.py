"""The floor: an ASGI application that answers with bytes that it was given, under doorpad's own HTTP server.

Reads one line of JSON from its standard input, `{path: body}`; prints `{"port": …}`; ends when the input does.
"""

import asyncio
import json
import sys

import uvloop
from doorpad.api.gate import Receive, Scope, Send
from doorpad.api.server import Server


async def main() -> None:
    bodies = {path: body.encode() for path, body in json.loads(sys.stdin.readline()).items()}

    async def answer(scope: Scope, _receive: Receive, send: Send) -> None:
        body = bodies[scope["path"]]
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    server = Server(answer)
    await server.start()
    print(json.dumps({"port": server.port}), flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await server.stop()


if __name__ == "__main__":
    uvloop.run(main())
