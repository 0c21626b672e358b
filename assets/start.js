// What to paste to send and to scrape, for the organisation that is signed in.

import { byId, element } from "./dom.js";

/** Shows the blocks for an organisation, for this server's address. */
export function showStart(org, origin = location.origin) {
  const blocks = blocksOf(org, new URL(origin)).map(([title, note, text]) => block(title, note, text));
  byId("start-blocks").replaceChildren(...blocks);
}

function blocksOf(org, { origin, host, protocol, port }) {
  const job = /^[\w.-]+$/.test(org) ? `tokenlake-${org}` : JSON.stringify(`tokenlake-${org}`);
  const target = port === "" ? `${host}:${protocol === "https:" ? 443 : 80}` : host;
  return [
    [
      "Send an event",
      "Needs the scope events:write. Sent again, it counts once.",
      `curl -sS ${origin}/v1/events \\
  -H "Authorization: Bearer $KEY" \\
  -H 'Content-Type: application/json' -d @- <<END
{"event_id": "first", "ts": $(date +%s),
 "provider": "openai", "model": "gpt-4o",
 "input_tokens": 1200, "output_tokens": 350,
 "cost_usd": "0.0065"}
END`,
    ],
    [
      "Scrape with Prometheus",
      "Needs the scope metrics:read. The key is the only line of the file.",
      `scrape_configs:
  - job_name: ${job}
    scheme: ${protocol.slice(0, -1)}
    authorization:
      credentials_file: ${job.replaceAll('"', "").replaceAll(":", "-")}.key
    static_configs:
      - targets: ["${target}"]`,
    ],
    [
      "OpenTelemetry",
      "Any SDK or collector, by OTLP. Prompts and answers are never stored.",
      `export OTEL_EXPORTER_OTLP_ENDPOINT=${origin}
export OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf
export OTEL_EXPORTER_OTLP_HEADERS="Authorization=Bearer%20$KEY"`,
    ],
    [
      "Claude Code",
      "Its own telemetry, with the cost of each call.",
      `export CLAUDE_CODE_ENABLE_TELEMETRY=1
export OTEL_LOGS_EXPORTER=otlp
export OTEL_EXPORTER_OTLP_PROTOCOL=http/json
export OTEL_EXPORTER_OTLP_ENDPOINT=${origin}
export OTEL_EXPORTER_OTLP_HEADERS="Authorization=Bearer $KEY"`,
    ],
  ];
}

function block(title, note, text) {
  const code = element("pre", { tabindex: "0", "aria-label": `${title}: what to paste` }, text);
  const copy = element("button", { type: "button", class: "quiet", "aria-label": `Copy: ${title}` }, "Copy");
  copy.addEventListener("click", async () => {
    copy.textContent = (await copied(code, text)) ? "Copied" : "Press Ctrl+C";
    setTimeout(() => (copy.textContent = "Copy"), 2000);
  });
  const head = element("div", { class: "block-head" }, element("h3", {}, title), copy);
  return element("article", { class: "block" }, head, element("p", { class: "note" }, note), code);
}

/** Copies; where a browser does not let a page do it, the text is chosen for the reader to copy. */
async function copied(code, text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    getSelection().selectAllChildren(code);
    return false;
  }
}
