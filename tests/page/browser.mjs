// The page in a real browser, one scenario at a time: node browser.mjs SCENARIO, with the settings in
// PAGE_TEST: {"url", "chromium", "modules", "keys": {…}, "shots": a folder or null}. It ends with 0 if
// all is as it should be.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";

const { url, chromium: executablePath, modules, keys, shots } = JSON.parse(process.env.PAGE_TEST);
const require = createRequire(`${modules}/`);
const { chromium } = require("playwright-core");

/** For a step, and for all of a scenario, on a machine with much else to do. */
const STEP_MAX = 60_000;
const ALL_MAX = 480_000;
const ZONE = "Asia/Kolkata";
setTimeout(() => {
  console.error("it takes too long");
  process.exit(3);
}, ALL_MAX);

const browser = await chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-dev-shm-usage"] });

/** What must not happen: errors in the console, violations of the policy, requests to others. */
const wrong = [];
/** Chromium writes a line for each answer of these statuses to a fetch; 503 is what a server says that
 *  gets no time from its machine. */
const OWN_LINE = /^Failed to load resource: the server responded with a status of (400|401|403|503) /;

async function open({ width = 1280, dark = false } = {}) {
  const context = await browser.newContext({
    viewport: { width, height: 900 },
    colorScheme: dark ? "dark" : "light",
    timezoneId: ZONE,
    acceptDownloads: true,
  });
  const page = await context.newPage();
  page.setDefaultTimeout(STEP_MAX);
  page.on("console", (line) => {
    if (line.type() === "error" && !OWN_LINE.test(line.text())) {
      wrong.push(`console: ${line.text()}`);
    }
  });
  page.on("pageerror", (error) => wrong.push(`error: ${error.stack}`));
  page.on("dialog", (dialog) => {
    wrong.push(`dialog: ${dialog.message()}`);
    dialog.dismiss();
  });
  page.on("request", (request) => {
    if (!/^(blob|data):/.test(request.url()) && new URL(request.url()).origin !== url) {
      wrong.push(`request: ${request.url()}`);
    }
  });
  await page.exposeFunction("violated", (what) => wrong.push(`policy: ${what}`));
  await page.addInitScript(() => {
    addEventListener("securitypolicyviolation", (event) => window.violated(`${event.violatedDirective} ${event.blockedURI}`));
  });
  await page.goto(url);
  return page;
}

async function signIn(page, key) {
  await page.getByLabel("Access key").fill(key);
  await page.getByRole("button", { name: "Sign in" }).click();
}

/** Waits for what was asked; a server that had no time for an answer is asked again. */
async function settled(page) {
  const again = page.locator(".failure", { hasText: "no answer within" }).getByRole("button");
  do {
    while ((await again.count()) > 0) {
      await again.first().click();
    }
    await page.locator("#history[aria-busy]").waitFor({ state: "detached" });
    await page.locator("#spend-figures[aria-busy]").waitFor({ state: "detached" });
  } while ((await again.count()) > 0);
  assert.deepEqual(await page.locator(".failure").allTextContents(), []);
}

async function signedIn(page, key) {
  await signIn(page, key);
  await drawn(page);
}

async function drawn(page) {
  await page.locator("#chart canvas, #history-failure .failure").first().waitFor();
  await settled(page);
  await page.locator("#chart canvas").waitFor();
}

async function choose(page, label, value) {
  await page.getByLabel(label, { exact: true }).selectOption(value);
  await settled(page);
}

async function shot(page, name) {
  if (shots) {
    await page.screenshot({ path: `${shots}/${name}.png`, fullPage: true });
  }
}

/** The rows of a table, as texts. */
function rows(page, selector) {
  return page.locator(`${selector} tr`).evaluateAll((lines) =>
    lines.map((line) => [...line.cells].map((cell) => cell.textContent)),
  );
}

async function usage(key, question) {
  const response = await fetch(`${url}/v1/usage?${new URLSearchParams(question)}`, {
    headers: { authorization: `Bearer ${key}` },
  });
  assert.equal(response.status, 200);
  return response.json();
}

// Money by another way than the page's: in units of 10^-12, and rounded half-even to the cent.
const units = (text) => {
  const [whole, fraction = ""] = text.split(".");
  return BigInt(whole + fraction.padEnd(12, "0"));
};
const shown = (amount) => {
  const unit = 10n ** 10n;
  let cents = amount / unit;
  const rest = amount % unit;
  if (rest * 2n > unit || (rest * 2n === unit && cents % 2n === 1n)) {
    cents += 1n;
  }
  const text = String(cents).padStart(3, "0");
  return `$${text.slice(0, -2).replace(/\B(?=(...)+$)/g, ",")}.${text.slice(-2)}`;
};
/** An amount below a cent is shown with its first digits. */
const says = (text, amount, what) => {
  if (amount === 0n || amount >= 10n ** 10n) {
    assert.equal(text, shown(amount), what);
  } else {
    assert.ok(Math.abs(Number(text.slice(1)) * 1e12 - Number(amount)) <= Number(amount) / 20, `${what}: ${text}`);
  }
};
const sum = (found) => found.reduce((all, row) => all + units(row.cost_usd), 0n);

/** Compares the chart's figures and the table with what the server says. */
async function agrees(page, key, { step, by, ...question }) {
  const answer = await usage(key, { ...question, step, group_by: by });
  const total = await usage(key, { ...question, step: "total", group_by: by });
  const [head, ...lines] = await rows(page, "#chart-figures");
  const named = new Map(total.rows.map((row) => [row[by] ?? (by === "team" ? "not set" : "unknown"), row]));
  const own = head.slice(1, -1).filter((name) => named.has(name));
  const rowsAt = (start) => answer.rows.filter((row) => row.start === start);
  const starts = [...new Set(answer.rows.map((row) => row.start))].filter((start) => sum(rowsAt(start)) > 0n);
  const used = lines.filter((line) => line.at(-1) !== "$0.00");
  assert.equal(used.length, starts.length, `${step} by ${by}: as many steps as have a cost`);
  starts.forEach((start, at) => {
    const of = rowsAt(start);
    const name = (row) => row[by] ?? (by === "team" ? "not set" : "unknown");
    says(used[at].at(-1), sum(of), `${start}: the total`);
    head.slice(1, -1).forEach((title, column) => {
      const isOwn = own.includes(title);
      const part = of.filter((row) => (isOwn ? name(row) === title : !own.includes(name(row))));
      says(used[at][column + 1], sum(part), `${start}: ${title}`);
    });
  });
  const table = await rows(page, "#usage-table");
  says(table.at(-1)[1], sum(total.rows), "the total of the table");
  for (const [name, cost] of table.slice(1, -1)) {
    says(cost, units(named.get(name).cost_usd), name);
  }
  const legend = await page.locator("#legend li").evaluateAll((items) => items.map((item) => item.textContent));
  assert.equal(legend.length, head.length - 2);
  return { head, lines, table, total };
}

const scenarios = {
  /** What is shown is what the server says, in every step, group and zone. */
  async agree() {
    const page = await open();
    await signedIn(page, keys.acme);
    const figures = await page.locator("#spend-figures .value").allTextContents();
    const now = Date.now();
    const at = new Date(now + 5.5 * 3_600_000).toISOString();
    const [date, first] = [at.slice(0, 10), `${at.slice(0, 7)}-01`];
    const cost = async (question) => units((await usage(keys.acme, question)).rows[0]?.cost_usd ?? "0");
    const month = await cost({ from: first, timezone: ZONE });
    const spent = [
      await cost({ from: new Date(now - 86_400_000).toISOString() }),
      await cost({ from: date, timezone: ZONE }),
      month,
    ];
    spent.forEach((amount, at) => says(figures[at], amount, `figure ${at}`));
    const begin = Date.parse(`${first}T00:00:00+05:30`);
    const end = Date.parse(`${new Date(Date.UTC(+at.slice(0, 4), +at.slice(5, 7), 1)).toISOString().slice(0, 10)}T00:00:00+05:30`);
    const projected = Number(month) * ((end - begin) / (now - begin)) / 1e12;
    const told = Number(figures[3].replace(/[$,]/g, ""));
    assert.ok(Math.abs(told - projected) <= projected * 0.01 + 0.02, `${told} is about ${projected}`);

    const tomorrow = new Date(Date.parse(date) + 86_400_000).toISOString().slice(0, 10);
    const days = (count) => new Date(Date.parse(tomorrow) - count * 86_400_000).toISOString().slice(0, 10);
    const last30 = { from: days(30), to: tomorrow, timezone: ZONE };
    await agrees(page, keys.acme, { ...last30, step: "day", by: "model" });
    await shot(page, "light");
    await choose(page, "Group by", "team");
    await agrees(page, keys.acme, { ...last30, step: "day", by: "team" });
    await choose(page, "Step", "week");
    await agrees(page, keys.acme, { ...last30, step: "week", by: "team" });
    await choose(page, "Group by", "provider");
    await choose(page, "Step", "hour");
    await agrees(page, keys.acme, { ...last30, step: "hour", by: "provider" });
    await choose(page, "Time zone", "UTC");
    const utc = new Date(now).toISOString().slice(0, 10);
    const utcTomorrow = new Date(Date.parse(utc) + 86_400_000).toISOString().slice(0, 10);
    await choose(page, "Range", "7d");
    await choose(page, "Step", "day");
    const from = new Date(Date.parse(utcTomorrow) - 7 * 86_400_000).toISOString().slice(0, 10);
    await agrees(page, keys.acme, { from, to: utcTomorrow, timezone: "UTC", step: "day", by: "provider" });
    await choose(page, "Show", "requests");
    const { rows: counted } = await usage(keys.acme, { from, to: utcTomorrow, step: "total" });
    const [, ...lines] = await rows(page, "#chart-figures");
    const requests = lines.reduce((all, line) => all + Number(line.at(-1).replaceAll(",", "")), 0);
    assert.equal(requests, counted[0].requests);

    await page.getByLabel("Query").fill("SELECT count(*) AS n, 'a,b' AS t FROM events");
    await page.getByRole("button", { name: "Run" }).click();
    await page.locator("#sql-answer table").waitFor();
    const all = (await usage(keys.acme, { from: "2015-01-01" })).rows[0].requests;
    assert.deepEqual(await rows(page, "#sql-answer"), [["n", "t"], [String(all), "a,b"]]);
    await page.getByLabel("Query").fill("SELECT nothing FROM nowhere");
    await page.getByRole("button", { name: "Run" }).click();
    await page.locator("#sql-answer .failure").waitFor();
  },

  /** Budgets are shown as the server has them, and their absence is said. */
  async budgets() {
    const page = await open();
    await signedIn(page, keys.many);
    await page.getByText("No budget is set").waitFor();
    assert.equal(await page.locator("#budgets-list").isVisible(), false);
    await page.getByRole("button", { name: "Sign out" }).click();
    const headers = { authorization: `Bearer ${keys.acme}` };
    const told = await (await fetch(`${url}/v1/budgets`, { headers })).json();
    assert.deepEqual(told.map(({ name }) => name), ["core", "half", "spent-long-ago", "wide"]);
    await signedIn(page, keys.acme);
    await page.locator("#budgets-list li").first().waitFor();
    const cards = await page.locator("#budgets-list li").evaluateAll((items) =>
      items.map((item) => ({
        name: item.querySelector("h3").textContent,
        spent: item.querySelector(".budget-spent").textContent,
        percent: item.querySelector(".budget-percent").textContent,
        isOver: item.classList.contains("over"),
        filled: item.querySelector(".filled").getBoundingClientRect().width / item.querySelector("svg").getBoundingClientRect().width,
        marks: item.querySelectorAll("line").length,
        note: item.lastElementChild.textContent,
      })),
    );
    told.forEach((budget, at) => {
      const { name, spent, percent, isOver, filled, marks, note } = cards[at];
      assert.equal(name, budget.name);
      const [paid, whole] = spent.split(" of ");
      says(paid, units(budget.spent), name);
      says(whole, units(budget.amount), name);
      assert.equal(percent, `${budget.percent} %`);
      const left = units(budget.amount) - units(budget.spent);
      assert.equal(isOver, left <= 0n, name);
      says(note.split(" ")[0], left < 0n ? -left : left, name);
      assert.equal(note.includes(" over"), left < 0n, note);
      const highest = Math.max(100, ...budget.thresholds.map((threshold) => threshold.percent));
      const share = Math.min(Number(budget.percent) / highest, 1);
      assert.ok(Math.abs(filled - share) < 0.01, `${name}: ${filled} is about ${share}`);
      assert.equal(marks, budget.thresholds.filter((threshold) => threshold.percent < highest).length);
    });
    await page.locator("#budgets-list").scrollIntoViewIfNeeded();
    await shot(page, "budgets");
    const body = JSON.stringify({ error: "storage is unavailable; try again in a moment" });
    await page.route("**/v1/budgets", (route) => route.fulfill({ status: 503, contentType: "application/json", body }));
    await page.reload();
    await page.locator("#budgets-failure .failure").filter({ hasText: "storage is unavailable" }).waitFor();
    await page.unroute("**/v1/budgets");
    await page.locator("#budgets-failure button").click();
    await page.locator("#budgets-list li").first().waitFor();
    assert.equal(await page.locator("#budgets-failure .failure").count(), 0);
  },

  /** Who may not sign in is told so; who signs out leaves no key behind. */
  async keys() {
    const page = await open();
    const refused = page.locator("#key-refused");
    await signIn(page, keys.short);
    await page.getByText("Usage of acme").waitFor();
    await page.reload();
    await page.getByText("Usage of acme").waitFor();
    await refused.filter({ hasText: "has expired" }).waitFor();
    assert.equal(await page.evaluate(() => sessionStorage.getItem("tokenlake.key")), null);
    assert.equal(await page.getByText("Usage of").isVisible(), false);
    await page.reload();
    for (const key of [keys.wrong, keys.expired, "td_live_x", "schlüssel"]) {
      await signIn(page, key);
      await refused.filter({ hasText: "mistyped, expired or revoked" }).waitFor();
      assert.equal(await page.evaluate(() => sessionStorage.length), 0);
      await page.getByLabel("Access key").fill("");
      await page.reload();
    }
    await shot(page, "door");
    await signIn(page, keys.writer);
    await page.getByText("it lacks the scope").waitFor();
    assert.equal(await page.locator("#usage").isVisible(), false);
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.getByLabel("Access key").waitFor();
    assert.equal(await page.evaluate(() => sessionStorage.length), 0);
    await signedIn(page, keys.bound);
    await page.getByText("team: core").waitFor();
    const groups = await page.getByLabel("Group by").locator("option").allTextContents();
    assert.deepEqual(groups, ["Model", "Provider", "team"]);
    assert.equal(await page.locator("#sql").isVisible(), false);
  },

  /** An organisation without events is shown how to send some, and then its first one. */
  async empty() {
    const page = await open();
    await signIn(page, keys.empty);
    await page.getByText("No events yet").waitFor();
    await shot(page, "empty");
    assert.deepEqual(await page.locator("#spend-figures .value").allTextContents(), Array(4).fill("$0.00"));
    const blocks = await page.locator("#start pre").allTextContents();
    assert.equal(blocks.length, 4);
    const { host } = new URL(url);
    assert.ok(blocks[0].includes(`${url}/v1/events`) && blocks[1].includes("job_name: tokenlake-empty"), blocks.join());
    assert.ok(blocks[1].includes(`targets: ["${host}"]`) && blocks[2].includes(`ENDPOINT=${url}\n`), blocks.join());
    const event = { event_id: "first", ts: Date.now(), provider: "openai", model: "gpt-4o", cost_usd: "0.25" };
    const headers = { authorization: `Bearer ${keys.empty}`, "content-type": "application/json" };
    const sent = await fetch(`${url}/v1/events`, { method: "POST", headers, body: JSON.stringify(event) });
    assert.equal(sent.status, 200);
    await page.locator("#chart canvas").waitFor();
    await page.locator("#spend-figures .value", { hasText: "$0.25" }).first().waitFor();
    assert.equal(await page.getByText("No events yet").isVisible(), false);
  },

  /** What cannot be read is said in its place, and asked for again. */
  async away() {
    const page = await open();
    const body = JSON.stringify({ error: "storage is unavailable; try again in a moment" });
    await page.route("**/v1/usage*", (route) => route.fulfill({ status: 503, contentType: "application/json", body }));
    await signIn(page, keys.acme);
    await page.locator("#history-failure .failure").filter({ hasText: "storage is unavailable" }).waitFor();
    await page.locator("#spend-failure .failure").filter({ hasText: "storage is unavailable" }).waitFor();
    await shot(page, "away");
    assert.equal(await page.locator("#spend-figures").isVisible(), false);
    await page.unroute("**/v1/usage*");
    await page.locator("#history-failure button").click();
    await page.locator("#chart canvas").waitFor();
    await page.locator("#spend-failure button").click();
    await page.locator("#spend-figures").waitFor();
    await settled(page);
  },

  /** An operator says which organisation it is about, and sees that one. */
  async operator() {
    const page = await open();
    await signIn(page, keys.operator);
    await page.getByText("Which organisation?").waitFor();
    assert.equal(await page.locator("#usage").isVisible(), false);
    for (const [org, key] of [["acme", keys.acme], ["odd", keys.odd]]) {
      await page.getByLabel("Organisation").fill(org);
      await page.getByRole("button", { name: "Show", exact: true }).click();
      await page.getByText(`Usage of ${org}`).waitFor();
      await drawn(page);
      const { rows: found } = await usage(key, { from: "2015-01-01", step: "total", group_by: "model" });
      const known = new Set(found.map((row) => row.model ?? "unknown"));
      const names = await page.locator("#usage-table tbody th").allTextContents();
      assert.ok(names.length > 5 && names.every((name) => known.has(name)), `${org}: ${names.join()}`);
    }
    assert.equal(await page.locator("#sql").isVisible(), false);
  },

  /** An answer that comes after a newer one is not shown, whoever asked for it. */
  async late() {
    const page = await open();
    const figures = () => page.locator("#spend-figures .value").allTextContents();
    /** All but the projection, which moves with the time: fast in the first hours of a month. */
    const spent = async () => (await figures()).slice(0, 3);
    /** Holds answers back until they are let go, the requests of which are `late`. */
    const hold = async (late) => {
      let letGo;
      const gone = new Promise((resolve) => (letGo = resolve));
      const held = [];
      const route = async (route) => {
        if (!late(route.request())) {
          return route.continue();
        }
        const answered = (async () => {
          const response = await route.fetch();
          await gone;
          // Who gave the question up takes no answer.
          await route.fulfill({ response }).catch(() => {});
        })();
        held.push(answered);
        return answered;
      };
      await page.route("**/v1/**", route);
      return async () => {
        letGo();
        await Promise.all(held);
        await page.unroute("**/v1/**", route);
        // What an answer would do, it has done after a turn.
        await page.waitForTimeout(300);
        return held.length;
      };
    };
    const show = async (org) => {
      await page.getByLabel("Organisation").fill(org);
      await page.getByRole("button", { name: "Show", exact: true }).click();
      await page.getByText(`Usage of ${org}`).waitFor();
    };
    await signIn(page, keys.operator);
    const ofOrg = (org) => (request) => request.url().includes(`org=${org}`);
    const many = await hold(ofOrg("many"));
    await show("acme");
    await drawn(page);
    const ofAcme = await spent();
    await show("many");
    assert.deepEqual(await figures(), Array(4).fill("–"));
    assert.equal(await page.locator("#history-shown").isVisible(), false);
    await show("acme");
    await drawn(page);
    const legend = await page.locator("#legend").textContent();
    assert.ok((await many()) > 0);
    assert.deepEqual([await spent(), await page.locator("#legend").textContent()], [ofAcme, legend]);
    // That an organisation had no event is found last, and not said under the name of another one.
    const empty = await hold((request) => ofOrg("empty")(request) && request.url().includes("from=2015"));
    const asked = page.waitForRequest(/from=2015/);
    await show("empty");
    await asked;
    await show("acme");
    await drawn(page);
    assert.ok((await empty()) > 0);
    assert.equal(await page.getByText("No events yet").isVisible(), false);
    assert.deepEqual(await spent(), ofAcme);
    await page.getByRole("button", { name: "Sign out" }).click();
    await signedIn(page, keys.acme);
    const first = await hold((request) => (request.postData() ?? "").includes("first"));
    for (const word of ["first", "second"]) {
      await page.locator("#sql-query").fill(`SELECT '${word}' AS word`);
      await page.locator("#sql-query").press("Control+Enter");
    }
    await page.locator("#sql-answer td", { hasText: "second" }).waitFor();
    assert.equal(await first(), 1);
    assert.deepEqual(await page.locator("#sql-answer td").allTextContents(), ["second"]);
    assert.equal(await page.locator("#sql-status").textContent(), "1 row");
  },

  /** Of 10,000 series a few are drawn, and the others are summed exactly. */
  async many() {
    const page = await open();
    await signedIn(page, keys.many);
    const total = await usage(keys.many, { from: "2015-01-01", step: "total", group_by: "model" });
    assert.equal(total.rows.length, 10_000);
    const legend = await page.locator("#legend li").allTextContents();
    assert.equal(legend.length, 7);
    const costs = total.rows.map((row) => units(row.cost_usd)).sort((a, b) => (a < b ? 1 : a > b ? -1 : 0));
    const others = costs.slice(6).reduce((all, cost) => all + cost, 0n);
    assert.equal(legend.at(-1), `9,994 others${shown(others)}`);
    assert.equal(await page.locator("#usage-table tbody tr").count(), 100);
    await page.getByRole("button", { name: "Show 100 more" }).click();
    assert.equal(await page.locator("#usage-table tbody tr").count(), 200);
    await page.getByLabel("Filter the table by name").fill("model-0777");
    assert.equal(await page.locator("#usage-table tbody tr").count(), 10);
    await shot(page, "many");
  },

  /** Names are text, whatever is in them. */
  async names() {
    const page = await open();
    await signedIn(page, keys.odd);
    const { rows: found } = await usage(keys.odd, { from: "2015-01-01", step: "total", group_by: "model" });
    const names = await page.locator("#usage-table tbody th").allTextContents();
    assert.deepEqual(new Set(names), new Set(found.map((row) => row.model ?? "unknown")));
    assert.ok(names.some((name) => name.startsWith("<img")), names.join());
    for (const [by, kind] of [["provider", "unknown"], ["team", "not set"]]) {
      await choose(page, "Group by", by);
      const { rows: of } = await usage(keys.odd, { from: "2015-01-01", step: "total", group_by: by });
      const shownNames = await page.locator("#usage-table tbody th").allTextContents();
      assert.deepEqual(new Set(shownNames), new Set(of.map((row) => row[by] ?? kind)), by);
    }
    const markup = "#main img, #main script, #main b:not(.tip b), #main svg, #main iframe";
    assert.equal(await page.locator(markup).count(), 0);
    assert.ok((await page.locator("#usage-table bdi[dir=auto]").count()) > 5);
    assert.equal(await page.title(), "tokenlake");
    await shot(page, "names");
  },

  /** From sign-in to the CSV without a pointer; the file is the table. */
  async keyboard() {
    const page = await open();
    await page.keyboard.type(keys.acme);
    await page.keyboard.press("Enter");
    await drawn(page);
    const reach = async (what, isThere) => {
      for (let tabs = 0; tabs < 60; tabs += 1) {
        if (await page.evaluate(isThere)) {
          const outline = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
          assert.notEqual(outline, "none", `${what}: the focus is seen`);
          return;
        }
        await page.keyboard.press("Tab");
      }
      assert.fail(`no way to ${what}`);
    };
    await reach("the range", () => document.activeElement.id === "range");
    await page.keyboard.press("ArrowDown");
    await settled(page);
    await reach("the chart", () => document.activeElement.id === "chart");
    await page.keyboard.press("ArrowLeft");
    await page.locator(".tip:not([hidden])").waitFor();
    await page.keyboard.press("Escape");
    await reach("the figures", () => document.activeElement.id === "figures-toggle");
    await page.keyboard.press("Enter");
    assert.equal(await page.locator("#figures.unseen").count(), 0);
    await reach("the head of a column", () => document.activeElement.dataset.column === "requests");
    await page.keyboard.press("Enter");
    assert.equal(await page.evaluate(() => document.activeElement.dataset.column), "requests");
    assert.equal(await page.locator("#usage-table th[aria-sort=descending]").textContent(), "Requests");
    await page.keyboard.press("Shift+Tab");
    for (let tabs = 0; tabs < 60 && !(await page.evaluate(() => document.activeElement.textContent === "Download CSV")); tabs += 1) {
      await page.keyboard.press("Shift+Tab");
    }
    const [download] = await Promise.all([page.waitForEvent("download"), page.keyboard.press("Enter")]);
    const csv = await readFile(await download.path(), "utf8");
    const [head, ...lines] = csv.trimEnd().split("\r\n").map((line) => line.split(","));
    const table = await rows(page, "#usage-table");
    assert.deepEqual(lines.map(([name]) => name || "unknown"), table.slice(1, -1).map(([name]) => name));
    const at = head.indexOf("cost_usd");
    lines.forEach((line, place) => says(table[place + 1][1], units(line[at]), line[0]));
  },

  /** axe-core finds nothing that is serious, at any width and in both schemes. */
  async axe() {
    const source = await readFile(require.resolve("axe-core/axe.min.js"), "utf8");
    for (const width of [360, 1280]) {
      for (const dark of [false, true]) {
        const page = await open({ width, dark });
        const check = async (what) => {
          await page.evaluate(`${source};0`);
          const { violations } = await page.evaluate(() => globalThis.axe.run());
          const serious = violations.filter(({ impact }) => ["serious", "critical"].includes(impact));
          const told = serious.map(({ id, nodes }) => `${id}: ${nodes[0].failureSummary}`);
          assert.deepEqual(told, [], `${what} at ${width}${dark ? ", dark" : ""}`);
          const [scrollWidth, clientWidth] = await page.evaluate(() => {
            const { documentElement: all } = document;
            return [all.scrollWidth, all.clientWidth];
          });
          assert.ok(scrollWidth <= clientWidth, `${what} is ${scrollWidth} wide at ${width}`);
        };
        await check("the door");
        await signedIn(page, keys.odd);
        await check("usage without figures");
        await page.locator("#figures-toggle").click();
        await page.locator("#budgets-list li.over").waitFor();
        await page.getByRole("button", { name: "Run" }).click();
        await page.locator("#sql-answer table").waitFor();
        await check("usage");
        await shot(page, `usage-${width}${dark ? "-dark" : ""}`);
        await page.getByRole("button", { name: "Sign out" }).click();
        await signIn(page, keys.none);
        await page.getByText("No events yet").waitFor();
        await check("no events");
        await page.context().close();
      }
    }
  },
};

await scenarios[process.argv[2]]();
assert.deepEqual(wrong, []);
await browser.close();
process.exit(0);
