"""Providers of models that answer each question with the same tokens, for programs that are to be
metered: Anthropic's messages, OpenAI's chat, responses and embeddings, Gemini's contents; whole or, if they
are asked to, in pieces. Prints its port. GET /calls tells how many of Anthropic's messages were asked for.

Usage: provider.py
"""

import json

import listening

TEXT = "hello"


def anthropic(number):
    usage = {
        "input_tokens": 12,
        "cache_creation_input_tokens": 300,
        "cache_read_input_tokens": 4000,
        "cache_creation": {"ephemeral_5m_input_tokens": 100, "ephemeral_1h_input_tokens": 200},
        "output_tokens": 57,
    }
    begun = {
        "id": f"msg_{number}",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-4-5",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        # A stream's first count of what comes out is of what there is by then.
        "usage": {**usage, "output_tokens": 1},
    }
    block = {"index": 0, "content_block": {"type": "text", "text": ""}}
    delta = {"index": 0, "delta": {"type": "text_delta", "text": TEXT}}
    end = {"delta": {"stop_reason": "end_turn", "stop_sequence": None}, "usage": {"output_tokens": 57}}
    content = [{"type": "text", "text": TEXT}]
    whole = {**begun, "content": content, "stop_reason": "end_turn", "usage": usage}
    events = [
        ("message_start", {"message": begun}),
        ("content_block_start", block),
        ("content_block_delta", delta),
        ("content_block_stop", {"index": 0}),
        ("message_delta", end),
        ("message_stop", {}),
    ]
    return whole, events


def responses(number):
    item = {
        "type": "message",
        "id": "msg_1",
        "role": "assistant",
        "status": "completed",
        "content": [{"type": "output_text", "text": TEXT, "annotations": []}],
    }
    usage = {
        "input_tokens": 100,
        "input_tokens_details": {"cached_tokens": 60},
        "output_tokens": 20,
        "output_tokens_details": {"reasoning_tokens": 8},
        "total_tokens": 120,
    }
    begun = {
        "id": f"resp_{number}",
        "object": "response",
        "created_at": 1,
        "model": "gpt-5-codex",
        "status": "in_progress",
        "output": [],
        "tools": [],
        "tool_choice": "auto",
        "parallel_tool_calls": True,
    }
    whole = {**begun, "status": "completed", "output": [item], "usage": usage}
    place = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    events = [
        ("response.created", {"response": begun}),
        ("response.output_item.added", {"output_index": 0, "item": {**item, "content": []}}),
        ("response.output_text.delta", {**place, "delta": TEXT, "logprobs": []}),
        ("response.output_item.done", {"output_index": 0, "item": item}),
        ("response.completed", {"response": whole}),
    ]
    return whole, [(name, {**data, "sequence_number": at}) for at, (name, data) in enumerate(events)]


def chat(number):
    choice = {"index": 0, "message": {"role": "assistant", "content": TEXT}, "finish_reason": "stop"}
    usage = {
        "prompt_tokens": 13,
        "completion_tokens": 9,
        "total_tokens": 22,
        "prompt_tokens_details": {"cached_tokens": 4},
        "completion_tokens_details": {"reasoning_tokens": 2},
    }
    whole = {
        "id": f"chatcmpl-{number}",
        "object": "chat.completion",
        "created": 1,
        "model": "gpt-4o-2024-08-06",
        "choices": [choice],
        "usage": usage,
    }
    begun = {**whole, "object": "chat.completion.chunk", "choices": [], "usage": None}
    piece = {"index": 0, "delta": {"role": "assistant", "content": TEXT}, "finish_reason": None}
    end = {"index": 0, "delta": {}, "finish_reason": "stop"}
    pieces = [{**begun, "choices": [piece]}, {**begun, "choices": [end]}, {**begun, "usage": usage}]
    return whole, pieces


def embeddings():
    return {
        "object": "list",
        "model": "text-embedding-3-small",
        "data": [{"object": "embedding", "index": 0, "embedding": [0.5, 0.25]}],
        "usage": {"prompt_tokens": 5, "total_tokens": 5},
    }


def gemini(number):
    content = {"parts": [{"text": TEXT}], "role": "model"}
    usage = {
        "promptTokenCount": 900,
        "candidatesTokenCount": 20,
        "cachedContentTokenCount": 600,
        "thoughtsTokenCount": 30,
        "totalTokenCount": 950,
    }
    return {
        "candidates": [{"content": content, "finishReason": "STOP", "index": 0}],
        "usageMetadata": usage,
        "modelVersion": "gemini-2.5-pro",
        "responseId": f"gemini-{number}",
    }


class Provider(listening.Listener):
    asked = 0
    messages = 0

    def send_json(self, value, **headers):
        self.send("application/json", json.dumps(value).encode(), **headers)

    def send_events(self, events, **headers):
        lines = (f"event: {name}\ndata: {json.dumps({'type': name, **data})}\n\n" for name, data in events)
        self.send("text/event-stream", "".join(lines).encode(), **headers)

    def do_GET(self):
        if self.path == "/calls":
            return self.send("text/plain", str(Provider.messages).encode())
        self.send_json({"models": [], "data": []})

    def do_POST(self):
        asked = json.loads(self.body() or b"{}")
        Provider.asked += 1
        number, streamed = Provider.asked, bool(asked.get("stream"))
        if "count_tokens" in self.path or "countTokens" in self.path:
            self.send_json({"input_tokens": 1, "totalTokens": 1})
        elif "/messages" in self.path or "/responses" in self.path:
            Provider.messages += "/messages" in self.path
            whole, events = (anthropic if "/messages" in self.path else responses)(number)
            headers = {"request_id": f"req_{number}"}
            self.send_events(events, **headers) if streamed else self.send_json(whole, **headers)
        elif "streamGenerateContent" in self.path:
            self.send("text/event-stream", f"data: {json.dumps(gemini(number))}\n\n".encode())
        elif "generateContent" in self.path:
            self.send_json(gemini(number))
        elif "/chat/completions" in self.path:
            whole, pieces = chat(number)
            lines = [*map(json.dumps, pieces), "[DONE]"]
            stream = "".join(f"data: {line}\n\n" for line in lines).encode()
            self.send("text/event-stream", stream) if streamed else self.send_json(whole)
        elif "/embeddings" in self.path:
            self.send_json(embeddings())
        else:
            self.send_json({})


listening.serve(Provider)
