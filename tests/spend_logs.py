"""Runs a COPY over LiteLLM's table of calls in a PostgreSQL of its own, and prints what it writes.

Usage: spend_logs.py COPY.sql POSTGRES_BIN

The table is that of LiteLLM's schema (`LiteLLM_SpendLogs` of schema.prisma), as far as calls need it.
"""

import sys

from questions import Postgres

TABLE = """
CREATE TABLE "LiteLLM_SpendLogs" (
    request_id TEXT NOT NULL PRIMARY KEY, call_type TEXT NOT NULL, api_key TEXT NOT NULL DEFAULT '',
    spend DOUBLE PRECISION NOT NULL DEFAULT 0.0, total_tokens INTEGER NOT NULL DEFAULT 0,
    prompt_tokens INTEGER NOT NULL DEFAULT 0, completion_tokens INTEGER NOT NULL DEFAULT 0,
    "startTime" TIMESTAMP(3) NOT NULL, "endTime" TIMESTAMP(3) NOT NULL, model TEXT NOT NULL DEFAULT '',
    custom_llm_provider TEXT DEFAULT '', "user" TEXT DEFAULT '', metadata JSONB DEFAULT '{}',
    cache_hit TEXT DEFAULT '', cache_key TEXT DEFAULT '', request_tags JSONB DEFAULT '[]', team_id TEXT,
    end_user TEXT, status TEXT);
INSERT INTO "LiteLLM_SpendLogs" (request_id, call_type, spend, prompt_tokens, completion_tokens, "startTime",
    "endTime", model, custom_llm_provider, "user", metadata, cache_hit, request_tags, team_id, status) VALUES
('chatcmpl-1', 'acompletion', 0.00392, 1200, 80, '2026-11-15 10:00:00', '2026-11-15 10:00:01.25', 'openai/gpt-4o', 'openai',
    'u-7', '{"usage_object": {"prompt_tokens_details": {"cached_tokens": 1024}}}', 'False', '["prod"]', 'core', 'success'),
('chatcmpl-2', 'acompletion', 0, 40, 12, '2026-11-15 10:00:01', '2026-11-15 10:00:02', 'claude-sonnet-4-5', 'anthropic',
    'u-8', '{}', NULL, '[]', 'core', NULL),
('failed', 'acompletion', 0, 0, 0, '2026-11-15 10:00:03', '2026-11-15 10:00:04', 'gpt-4o', 'openai', 'u-7', '{}', '', '[]', 'core',
    'failure'),
('cached', 'acompletion', 0, 40, 12, '2026-11-15 10:00:05', '2026-11-15 10:00:06', 'gpt-4o', 'openai', 'u-7', '{}', 'True', '[]',
    'core', 'success');
"""


def main():
    path, binaries = sys.argv[1:]
    with open(path, encoding="utf-8") as file:
        question = file.read()
    postgres = Postgres(binaries)
    try:
        written, wrong = postgres.run(TABLE + question)
    finally:
        postgres.end()
    print(written, end="")
    return wrong or None


sys.exit(main())
