"""Providers of models that answer each question with the same tokens, for programs that are to be
metered: Anthropic's messages, OpenAI's chat and responses, Gemini's contents. Prints its port. GET /calls
tells how many of Anthropic's messages were asked for.

Usage: provider.py
"""

import http.server
import json
import sys

TEXT = "hello"


def anthropic(number):
    usage = {
        "input_tokens": 12,
        "cache_creation_input_tokens": 300,
        "cache_read_input_tokens": 4000,
        "cache_creation": {"ephemeral_5m_input_tokens": 100, "ephemeral_1h_input_tokens": 200},
        "output_tokens": 57,
    }
    message = {
        "id": f"msg_{number}",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-4-5",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": usage,
    }
    block = {"index": 0, "content_block": {"type": "text", "text": ""}}
    delta = {"index": 0, "delta": {"type": "text_delta", "text": TEXT}}
    end = {"delta": {"stop_reason": "end_turn", "stop_sequence": None}, "usage": {"output_tokens": 57}}
    whole = {**message, "content": [{"type": "text", "text": TEXT}], "stop_reason": "end_turn"}
    events = [
        ("message_start", {"message": message}),
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
    begun = {"id": f"resp_{number}", "object": "response", "status": "in_progress", "output": []}
    whole = {**begun, "status": "completed", "model": "gpt-5-codex", "output": [item], "usage": usage}
    events = [
        ("response.created", {"response": begun}),
        ("response.output_item.done", {"output_index": 0, "item": item}),
        ("response.completed", {"response": whole}),
    ]
    return whole, events


def chat(number):
    choice = {"index": 0, "message": {"role": "assistant", "content": TEXT}, "finish_reason": "stop"}
    usage = {
        "prompt_tokens": 13,
        "completion_tokens": 9,
        "total_tokens": 22,
        "prompt_tokens_details": {"cached_tokens": 4},
        "completion_tokens_details": {"reasoning_tokens": 2},
    }
    return {
        "id": f"chatcmpl-{number}",
        "object": "chat.completion",
        "created": 1,
        "model": "gpt-4o-2024-08-06",
        "choices": [choice],
        "usage": usage,
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


class Provider(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    asked = 0
    messages = 0

    def log_message(self, *_):
        pass

    def body(self):
        if self.headers.get("transfer-encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("content-length") or 0))
        body = b""
        while True:
            piece = self.rfile.read(int(self.rfile.readline(), 16))
            self.rfile.readline()
            if not piece:
                return body
            body += piece

    def send(self, content_type, body, **headers):
        self.send_response(200)
        self.send_header("content-type", content_type)
        self.send_header("content-length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

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
            self.send_json(chat(number))
        else:
            self.send_json({})


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Provider)
print(server.server_port)
sys.stdout.flush()
server.serve_forever()
