// Tests of what the page computes, without a browser: node --test tests/page/units.mjs

import assert from "node:assert/strict";
import { test } from "node:test";

import { addMonths, dateIn, daysBetween, knownZone, stepKey, stepKeys, stepNames } from "../../assets/calendar.js";
import { CsvReader, csvText } from "../../assets/csv.js";
import { count, countOf, exact, money, parseAmount, percent, scaled, unitsOf } from "../../assets/decimal.js";
import { Newest } from "../../assets/newest.js";
import { asked, daysOf, rangeOf, stepsFor } from "../../assets/ranges.js";

test("money has two decimals, more below a cent, and is rounded half-even", () => {
  for (const [text, shown] of [
    ["0", "$0.00"],
    ["1.5", "$1.50"],
    ["0.015", "$0.02"],
    ["0.025", "$0.02"],
    ["0.025000000001", "$0.03"],
    ["999.995", "$1,000.00"],
    ["1234567.891", "$1,234,567.89"],
    ["-1.5", "-$1.50"],
    ["0.0004", "$0.00040"],
    ["0.000123456789", "$0.00012"],
    ["0.000000000001", "$0.000000000001"],
    ["99999999999999999999999999.99", "$99,999,999,999,999,999,999,999,999.99"],
  ]) {
    assert.equal(money(parseAmount(text)), shown, text);
  }
  for (const text of ["", "1e3", "NaN", "1.", "0.0000000000001", "--1"]) {
    assert.throws(() => parseAmount(text), text);
  }
});

test("amounts keep all of their digits", () => {
  for (const text of ["0", "100", "0.1", "-0.5", "1.000000000001", "123456789012345678901234567890.12"]) {
    assert.equal(exact(parseAmount(text)), text);
  }
  const tenth = parseAmount("0.1");
  assert.equal(exact(tenth + parseAmount("0.2")), "0.3");
  assert.equal(exact(scaled(tenth, 1n, 3n)), "0.033333333333");
  assert.equal(countOf(unitsOf(12_345_678)), "12,345,678");
  assert.equal(count(9_007_199_254_740_993n), "9,007,199,254,740,993");
  assert.deepEqual([percent(1n, 3n), percent(0n, 0n), percent(5n, 5n)], ["33.3 %", "–", "100.0 %"]);
});

test("CSV is the same however it is cut", () => {
  const rows = [["a", 'b"c', "d\r\ne", ""], ["", "x,y", '"', "z"], ["one"]];
  const text = csvText(rows);
  for (const size of [1, 2, 3, 7, text.length]) {
    const found = [];
    const reader = new CsvReader((row) => found.push(row));
    for (let at = 0; at < text.length; at += size) {
      reader.write(text.slice(at, at + size));
    }
    reader.end();
    assert.deepEqual(found, rows, `in parts of ${size}`);
  }
  const found = [];
  const reader = new CsvReader((row) => found.push(row));
  reader.write("a,b\n,\n1,2");
  reader.end();
  assert.deepEqual(found, [["a", "b"], ["", ""], ["1", "2"]]);
});

test("steps are those of the zone's clock", () => {
  const hours = (zone, from, to) => stepKeys("hour", { from, to }, zone).map((at) => new Date(at).toISOString());
  assert.equal(hours("America/New_York", "2025-11-02", "2025-11-03").length, 25);
  assert.equal(hours("America/New_York", "2025-03-09", "2025-03-10").length, 23);
  assert.equal(hours("Asia/Kolkata", "2026-01-01", "2026-01-02")[0], "2025-12-31T18:30:00.000Z");
  const from = Date.parse("2026-01-01T10:10:00Z");
  assert.deepEqual(hours("Asia/Kolkata", from, from + 3_600_000), ["2026-01-01T09:30:00.000Z", "2026-01-01T10:30:00.000Z"]);
  const keys = (step, from, to) => stepKeys(step, { from, to }, "UTC");
  assert.deepEqual(keys("day", "2026-02-27", "2026-03-02"), ["2026-02-27", "2026-02-28", "2026-03-01"]);
  assert.deepEqual(keys("week", "2026-11-01", "2026-11-10"), ["2026-10-26", "2026-11-02", "2026-11-09"]);
  assert.deepEqual(keys("month", "2025-12-15", "2026-02-01"), ["2025-12-01", "2026-01-01"]);
  assert.equal(stepKey("day", "2026-11-02T00:00:00+01:00"), "2026-11-02");
  assert.equal(stepKey("hour", "2026-11-02T00:00:00+01:00"), Date.parse("2026-11-01T23:00:00Z"));
  assert.deepEqual(stepNames("week", "2026-11-23", "UTC"), ["Week of 23 Nov 2026", "23 Nov"]);
  assert.equal(dateIn("Pacific/Kiritimati", Date.parse("2026-11-29T12:00:00Z")), "2026-11-30");
});

test("ranges are whole days of the zone, but for the last 24 hours", () => {
  const now = Date.parse("2026-11-29T23:30:00Z");
  const range = (name, zone = "UTC", own = null) => rangeOf(name, zone, now, own);
  assert.deepEqual(asked(range("24h")), { from: "2026-11-28T23:30:00.000Z", to: "2026-11-29T23:30:00.000Z" });
  assert.deepEqual(range("7d"), { from: "2026-11-23", to: "2026-11-30" });
  assert.deepEqual(range("7d", "Europe/Berlin"), { from: "2026-11-24", to: "2026-12-01" });
  assert.deepEqual(range("month"), { from: "2026-11-01", to: "2026-12-01" });
  assert.deepEqual(range("last-month"), { from: "2026-10-01", to: "2026-11-01" });
  assert.deepEqual(range("12m"), { from: "2025-12-01", to: "2026-12-01" });
  assert.deepEqual(range("own", "UTC", { from: "2026-01-01", to: "2026-01-31" }), { from: "2026-01-01", to: "2026-02-01" });
  assert.equal(addMonths("2026-12-01", 1), "2027-01-01");
  assert.equal(daysBetween("2026-02-01", "2026-03-01"), 28);
  assert.deepEqual([daysOf(range("24h")), daysOf(range("90d"))], [1, 90]);
  const names = (days) => stepsFor(days).choices.map(([step]) => step);
  assert.deepEqual([stepsFor(1).usual, stepsFor(30).usual, stepsFor(365).usual], ["hour", "day", "month"]);
  assert.deepEqual([names(31), names(32)], [["hour", "day", "week", "month"], ["day", "week", "month"]]);
});

test("a browser's name of its zone is one that the server knows", () => {
  for (const [name, known] of [
    ["Europe/Berlin", "Europe/Berlin"],
    ["America/Argentina/Buenos_Aires", "America/Argentina/Buenos_Aires"],
    ["US/Pacific", "US/Pacific"],
    ["Etc/GMT+12", "Etc/GMT+12"],
    ["UTC", "UTC"],
    ["+00:00", "UTC"],
    ["-00:00", "UTC"],
    ["+03:00", "Etc/GMT-3"],
    ["-10:00", "Etc/GMT+10"],
    ["+14:00", "Etc/GMT-14"],
    ["-13:00", "UTC"],
    ["+05:30", "UTC"],
    ["Factory", "UTC"],
    ["Etc/Unknown", "UTC"],
    ["", "UTC"],
    [undefined, "UTC"],
  ]) {
    assert.equal(knownZone(name), known, name);
  }
});

test("of questions that take the place of each other, only the newest is shown", async () => {
  const host = { busy: false, setAttribute: () => (host.busy = true), removeAttribute: () => (host.busy = false) };
  const [newest, shown, waiting] = [new Newest(), [], []];
  const run = () => {
    const answer = new Promise((resolve, reject) => waiting.push({ resolve, reject }));
    const show = (text) => shown.push(text);
    return newest.run(host, { ask: () => answer, show, fail: ({ message }) => show(message) });
  };
  const [first, second, third] = [run(), run(), run()];
  waiting[2].resolve("third");
  assert.equal(await third, "third");
  assert.equal(host.busy, false);
  waiting[0].resolve("first");
  waiting[1].reject(new Error("second"));
  assert.deepEqual([await first, await second], [null, null]);
  assert.deepEqual([shown, host.busy], [["third"], false]);
  const failed = run();
  waiting[3].reject(new Error("fourth"));
  await assert.rejects(failed, { message: "fourth" });
  assert.deepEqual([shown, host.busy], [["third", "fourth"], false]);
});
