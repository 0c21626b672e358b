"""Servers of HTTP on a free port of this machine."""

import http.server
import sys


class Listener(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def is_chunked(self):
        return self.headers.get("transfer-encoding") == "chunked"

    def body(self):
        if not self.is_chunked():
            return self.rfile.read(int(self.headers.get("content-length") or 0))
        body = b""
        while True:
            piece = self.rfile.read(int(self.rfile.readline(), 16))
            self.rfile.readline()
            if not piece:
                return body
            body += piece

    def send(self, content_type, body, status=200, **headers):
        self.send_response(status)
        self.send_header("content-type", content_type)
        self.send_header("content-length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)


def serve(listener):
    """Serves for ever, and prints the port."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), listener)
    print(server.server_port)
    sys.stdout.flush()
    server.serve_forever()
