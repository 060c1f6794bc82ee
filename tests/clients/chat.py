"""What a user's Python program does: log in, start a conversation, talk over a WebSocket, read the history.

Usage: chat.py http://HOST:PORT, on a server with john_doe and jane_smith.
"""

import asyncio
import json
import sys
import urllib.request

import websockets

PASSWORD = "password123"


def call(method, url, body=None, token=None):
    request = urllib.request.Request(url, method=method)
    request.add_header("Content-Type", "application/json")
    if token:
        request.add_header("Authorization", f"Bearer {token}")
    data = json.dumps(body).encode() if body is not None else None
    with urllib.request.urlopen(request, data, timeout=30) as answer:
        return answer.status, json.load(answer)


async def hear(socket):
    return json.loads(await asyncio.wait_for(socket.recv(), 30))


async def main(http):
    ws = http.replace("http://", "ws://")
    tokens = {}
    for name in ("john_doe", "jane_smith"):
        _, login = call("POST", f"{http}/api/auth/login/", {"username": name, "password": PASSWORD})
        tokens[name] = login["access"]
    john, jane = tokens["john_doe"], tokens["jane_smith"]
    status, chat = call("POST", f"{http}/api/chat/conversations/start/", {"user2": 3}, john)
    assert status in (200, 201) and sorted(chat["participants"]) == [2, 3], chat

    # With and without the trailing slash.
    async with websockets.connect(f"{ws}/ws/chat/{chat['id']}/?token={john}") as johns:
        async with websockets.connect(f"{ws}/ws/chat/{chat['id']}?token={jane}") as janes:
            # The answer to a frame tells that jane is in the room.
            await janes.send(json.dumps({"type": "ping"}))
            assert (await hear(janes))["type"] == "pong"

            await johns.send(json.dumps({"type": "message", "content": "Grüße aus Python 👋"}))
            for socket in (johns, janes):
                said = await hear(socket)
                assert said["type"] == "chat_message" and said["sender"] == "john_doe", said
                assert said["content"] == "Grüße aus Python 👋", said
            await janes.send(json.dumps({"type": "read", "message_id": said["message_id"]}))
            for socket in (johns, janes):
                receipt = await hear(socket)
                assert (receipt["type"], receipt["reader"]) == ("read_receipt", "jane_smith"), receipt
            await janes.ping()

    async with websockets.connect(f"{ws}/ws/chat/{chat['id']}/?token=nonsense") as refused:
        try:
            await refused.recv()
        except websockets.ConnectionClosed as closed:
            assert closed.rcvd.code == 4001 and closed.rcvd.reason, closed
        else:
            raise AssertionError("a frame instead of a close")

    _, page = call("GET", f"{http}/api/chat/conversations/{chat['id']}/messages/", token=jane)
    assert [line["content"] for line in page["results"]] == ["Grüße aus Python 👋"], page
    assert page["results"][0]["is_read"], page


asyncio.run(main(sys.argv[1]))
