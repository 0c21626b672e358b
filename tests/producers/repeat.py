"""Sends each request on twice, as an exporter does that has not heard the first answer, and gives the
second answer. Prints its port.

Usage: repeat.py HOST:PORT
"""

import http.client
import sys

import listening

ANOTHERS = ("host", "content-length", "connection")


class Repeater(listening.Listener):
    def do_POST(self):
        body = self.body()
        answers = [self.forward(body) for _ in range(2)]
        status, content_type, answer = answers[-1]
        self.send(content_type, answer, status)

    def forward(self, body):
        """Sends it in chunks if it came in chunks."""
        there = http.client.HTTPConnection(sys.argv[1])
        headers = {name: text for name, text in self.headers.items() if name.lower() not in ANOTHERS}
        body = iter([body]) if self.is_chunked() else body
        there.request("POST", self.path, body, headers, encode_chunked=self.is_chunked())
        answer = there.getresponse()
        content = answer.read()
        there.close()
        return answer.status, answer.headers.get("content-type") or "text/plain", content


listening.serve(Repeater)
