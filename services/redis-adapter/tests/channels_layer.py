"""A process of Django's, as far as the channel layer is concerned: does what its standard input says, line by line.

The argument holds the layer's kind and settings, as JSON. Each line of input is an object, and so is each answer.
"""

import asyncio
import json
import sys

from channels_redis.core import RedisChannelLayer
from channels_redis.pubsub import RedisPubSubChannelLayer

LAYERS = {"core": RedisChannelLayer, "pubsub": RedisPubSubChannelLayer}


async def main():
    settings = json.loads(sys.argv[1])
    layer = LAYERS[settings.pop("kind")](**settings)
    channel = await layer.new_channel()
    lines = asyncio.StreamReader(limit=1 << 24)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    while line := await lines.readline():
        command = json.loads(line)
        match command["do"]:
            case "join":
                answer = await layer.group_add(command["group"], channel)
            case "send":
                answer = await layer.group_send(command["group"], command["event"])
            case "receive":
                answer = await layer.receive(channel)
        print(json.dumps(answer), flush=True)


asyncio.run(main())
