// Asks through node-postgres. Arguments: the folder of its modules, the port. The key is in PGPASSWORD.
const assert = require("node:assert");
const [folder, port] = process.argv.slice(2);
const { Client, Pool } = require(`${folder}/node_modules/pg`);
const to = { host: "127.0.0.1", port, user: "ana", database: "lake" };

async function main() {
  const client = new Client(to);
  await client.connect();
  const ask = "SELECT event_id, ts, input_tokens, cost_usd, attributes FROM events WHERE model = $1 AND input_tokens < $2";
  const { rows, fields } = await client.query(ask, ["gpt-4o", 15]);
  assert.deepStrictEqual(rows, [
    { event_id: "101", ts: new Date("2026-01-15T10:00:00Z"), input_tokens: "10", cost_usd: "0.1", attributes: { n: "1" } },
  ]);
  assert.strictEqual(fields[3].dataTypeID, 1700);
  const counted = "SELECT count(*)::int AS n FROM events WHERE model = ANY($1)";
  assert.strictEqual((await client.query(counted, [["gpt-4o", "claude"]])).rows[0].n, 4);
  for (let turn = 0; turn < 3; turn += 1) {
    const named = await client.query({ name: "kept", text: "SELECT $1::int + 1 AS n", values: [turn] });
    assert.strictEqual(named.rows[0].n, turn + 1);
  }
  await assert.rejects(client.query("SELECT * FROM nothing"), { code: "42P01" });
  await client.end();
  const pool = new Pool({ ...to, max: 4 });
  const all = await Promise.all(Array.from({ length: 10 }, () => pool.query("SELECT count(*)::int AS n FROM events")));
  assert.ok(all.every((answer) => answer.rows[0].n === 4));
  await pool.end();
  console.log("all is well");
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
