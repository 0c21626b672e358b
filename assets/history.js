// Usage over time: what is chosen, the chart with its figures, and the table.

import { addDays, stepKey, stepKeys, stepNames } from "./calendar.js";
import { StackedChart } from "./chart.js";
import { readCsv } from "./csv.js";
import { count, countOf, exact, money, parseAmount, percent, unitsOf } from "./decimal.js";
import { byId, element, failure, field, foreignName, select, setChoices } from "./dom.js";
import { Newest } from "./newest.js";
import { RANGES, asked, daysOf, rangeOf, stepsFor } from "./ranges.js";
import { UsageTable } from "./table.js";

/** Series with a colour of their own; the others are one. */
const SERIES_MAX = 6;

const compact = new Intl.NumberFormat("en-US", { notation: "compact", maximumSignificantDigits: 3 });

/** What may be shown: an amount of a row, whose fields `get` gives, and a text of an amount. */
const MEASURES = {
  cost: {
    title: "Cost",
    amount: (get) => parseAmount(get("cost_usd")),
    text: money,
    tick: (value) => (value < 0 ? `-$${compact.format(-value)}` : `$${compact.format(value)}`),
  },
  requests: {
    title: "Requests",
    amount: (get) => unitsOf(get("requests")),
    text: countOf,
    tick: (value) => compact.format(value),
  },
  tokens: {
    title: "Tokens",
    amount: (get) => unitsOf(BigInt(get("input_tokens")) + BigInt(get("output_tokens"))),
    text: countOf,
    tick: (value) => compact.format(value),
  },
};

/** Columns of counts, in the order of the table. */
const COUNTS = [
  ["requests", "Requests"],
  ["input_tokens", "Input tokens"],
  ["output_tokens", "Output tokens"],
  ["cached_input_tokens", "Cached input"],
  ["unpriced_requests", "Unpriced"],
];
const FILE_FIELDS = [
  "requests",
  "input_tokens",
  "output_tokens",
  "cached_input_tokens",
  "cache_write_tokens",
  "reasoning_tokens",
  "cost_usd",
  "unpriced_requests",
];

export class History {
  #api;
  #chart = new StackedChart(byId("chart"));
  #table = new UsageTable(byId("usage-table"), "Usage by group, all of the range");
  #inputs = {};
  #chosen;
  #newest = new Newest();

  constructor(api, zone) {
    this.#api = api;
    this.#chosen = { range: "30d", step: "day", by: "model", measure: "cost", zone, own: null };
    this.#makeControls(zone);
  }

  /** Asks and shows, and gives whether there was any usage; null if it was asked again meanwhile. */
  async refresh() {
    byId("history-failure").replaceChildren();
    const answer = await this.#newest.run(byId("history"), {
      ask: (signal) => this.#ask(signal),
      show: (found) => this.#show(found),
      fail: (error) => {
        [byId("history-shown").hidden, byId("history-empty").hidden] = [true, true];
        byId("history-failure").replaceChildren(failure(error, () => this.#again()));
      },
    });
    return answer === null ? null : answer.rows.length > 0;
  }

  /** Shows no figure until there is another answer. */
  clear() {
    [byId("history-shown").hidden, byId("history-empty").hidden] = [true, false];
    byId("history-empty").textContent = "Loading…";
    byId("history-failure").replaceChildren();
  }

  #again() {
    // What went wrong is shown in its place.
    this.refresh().catch(() => {});
  }

  /** Readers of screens have the figures in any case; others see them on request. */
  #toggleFigures(button) {
    const isShown = byId("figures").classList.toggle("unseen") === false;
    button.setAttribute("aria-expanded", String(isShown));
    // What scrolls must be reached by keyboard, what is not seen must not.
    if (isShown) {
      byId("figures").tabIndex = 0;
    } else {
      byId("figures").removeAttribute("tabindex");
    }
  }

  #makeControls(own) {
    byId("figures-toggle").onclick = (event) => this.#toggleFigures(event.currentTarget);
    const zones = [...new Set([own, "UTC", ...Intl.supportedValuesOf("timeZone")])];
    const dates = element("span", { class: "dates", hidden: true });
    const choose = (name) => (value) => {
      this.#chosen[name] = value;
      this.#again();
    };
    const groups = [["model", "Model"], ["provider", "Provider"]];
    const measures = Object.entries(MEASURES).map(([name, { title }]) => [name, title]);
    const inputs = {
      range: select(RANGES, this.#chosen.range, (value) => this.#chooseRange(value)),
      from: element("input", { type: "date", required: true, onchange: () => this.#chooseDates() }),
      to: element("input", { type: "date", required: true, onchange: () => this.#chooseDates() }),
      step: select(stepsFor(30).choices, this.#chosen.step, choose("step")),
      by: select(groups, this.#chosen.by, choose("by")),
      measure: select(measures, this.#chosen.measure, choose("measure")),
      zone: select(zones.map((zone) => [zone, zone.replaceAll("_", " ")]), own, choose("zone")),
    };
    dates.append(field("First day", inputs.from), field("Last day", inputs.to));
    this.#inputs = { ...inputs, dates };
    byId("history-controls").replaceChildren(
      field("Range", inputs.range),
      dates,
      field("Step", inputs.step),
      field("Group by", inputs.by),
      field("Show", inputs.measure),
      field("Time zone", inputs.zone),
    );
  }

  #chooseRange(name) {
    const { from, to, dates } = this.#inputs;
    dates.hidden = name !== "own";
    if (name === "own" && this.#chosen.own === null) {
      const last = rangeOf("30d", this.#chosen.zone, this.#api.now());
      [from.value, to.value] = [last.from, addDays(last.to, -1)];
      this.#chosen.own = { from: from.value, to: to.value };
    }
    this.#chosen.range = name;
    this.#offerSteps();
    this.#again();
  }

  #chooseDates() {
    const { from, to } = this.#inputs;
    to.setCustomValidity(from.value > to.value ? "It is before the first day." : "");
    if (from.reportValidity() && to.reportValidity()) {
      this.#chosen.own = { from: from.value, to: to.value };
      this.#offerSteps();
      this.#again();
    }
  }

  #offerSteps() {
    const { usual, choices } = stepsFor(daysOf(this.#range()));
    this.#chosen.step = usual;
    setChoices(this.#inputs.step, choices, usual);
  }

  #offerGroups(names) {
    const title = (name) => ({ model: "Model", provider: "Provider" })[name] ?? name;
    const order = [...new Set(["model", "provider", ...names])];
    if (order.length !== this.#inputs.by.options.length) {
      setChoices(this.#inputs.by, order.map((name) => [name, title(name)]), this.#chosen.by);
    }
  }

  #range() {
    const { range, zone, own } = this.#chosen;
    return rangeOf(range, zone, this.#api.now(), own);
  }

  async #ask(signal) {
    const { step, by, zone, measure } = this.#chosen;
    const range = this.#range();
    const question = { ...asked(range), timezone: zone, group_by: by };
    const { rows, groups } = await this.#api.usage({ ...question, step: "total" }, signal);
    const { amount } = MEASURES[measure];
    const named = rows.map((row) => ({ name: row[by], amount: amount((name) => row[name]), row }));
    const order = [...named].sort((a, b) => (a.amount < b.amount ? 1 : a.amount > b.amount ? -1 : 0));
    order.forEach((group, at) => {
      group.hue = at < SERIES_MAX ? at + 1 : 0;
    });
    const steps = new Map(stepKeys(step, range, zone).map((key) => [key, []]));
    const hues = new Map(named.map(({ name, hue }) => [name ?? "", hue]));
    if (rows.length > 0) {
      const body = await this.#api.usageCsv({ ...question, step }, signal);
      await readCsv(body, (row, head) => {
        const get = (name) => row[head.indexOf(name)];
        const key = stepKey(step, get("start"));
        const amounts = steps.get(key) ?? steps.set(key, []).get(key);
        // A name that came since the totals were asked for is one of the others.
        const hue = hues.get(get(by)) ?? 0;
        amounts[hue] = (amounts[hue] ?? 0n) + amount(get);
      });
    }
    const at = [...steps].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
    return { ...this.#chosen, rows, named, order, groups, steps: at };
  }

  #show(answer) {
    const isEmpty = answer.rows.length === 0;
    this.#offerGroups(answer.groups);
    byId("history-empty").hidden = !isEmpty;
    byId("history-empty").textContent = "No usage in this range.";
    byId("history-shown").hidden = isEmpty;
    if (!isEmpty) {
      const drawing = drawingOf(answer);
      showLegend(drawing);
      this.#chart.show(drawing);
      showFigures(drawing);
      this.#table.show(tableOf(answer));
    }
  }
}

/** What the chart, its legend and its figures show. */
function drawingOf({ steps, step, zone, order, by, measure, range }) {
  const { title, text, tick } = MEASURES[measure];
  const own = order.slice(0, SERIES_MAX);
  const others = order.slice(SERIES_MAX);
  const amounts = (hue) => steps.map(([, found]) => found[hue] ?? 0n);
  const series = own.map(({ name, hue, amount }) => ({ name: { text: name, unknown: unknownOf(by) }, hue, total: amount, amounts: amounts(hue) }));
  if (others.length > 0 || steps.some(([, found]) => found[0] !== undefined)) {
    const total = others.reduce((sum, { amount }) => sum + amount, 0n);
    const name = others.length === 1 ? "1 other" : `${count(others.length)} others`;
    series.push({ name, hue: 0, total, amounts: amounts(0) });
  }
  const named = steps.map(([key]) => stepName(step, key, zone));
  const over = RANGES.find(([name]) => name === range)[1].replace("…", "");
  const label = `${title} by ${step} and ${by}, ${over.toLowerCase()}. The same figures are in a table below. Arrow keys go through the steps.`;
  return { steps: named, series, text, tick, label, title, step };
}

/** In hours, midnight has its date. */
function stepName(step, key, zone) {
  const [name, short, date] = stepNames(step, key, zone);
  const isMidnight = step === "hour" && short === "00:00";
  return { name, short: isMidnight ? date : short, isMidnight };
}

function unknownOf(by) {
  return by === "model" || by === "provider" ? "unknown" : "not set";
}

function nameOf(name) {
  return typeof name === "string" ? name : foreignName(name.text, name.unknown);
}

function showLegend({ series, text }) {
  const items = series.map(({ name, hue, total }) =>
    element("li", {}, element("i", { class: `mark hue-${hue}` }), nameOf(name), element("span", { class: "sum" }, text(total))),
  );
  byId("legend").replaceChildren(...items);
}

/** The chart's figures as a table. */
function showFigures({ steps, series, text, title, step }) {
  const heads = series.map(({ name }) => element("th", { scope: "col", class: "number" }, nameOf(name)));
  const first = element("th", { scope: "col", class: "text" }, step[0].toUpperCase() + step.slice(1));
  const total = element("th", { scope: "col", class: "number" }, "Total");
  const lines = steps.map(({ name }, at) => {
    const cells = series.map(({ amounts }) => element("td", { class: "number" }, text(amounts[at])));
    const sum = series.reduce((all, { amounts }) => all + amounts[at], 0n);
    return element("tr", {}, element("th", { scope: "row", class: "text" }, name), ...cells, element("td", { class: "number" }, text(sum)));
  });
  const caption = element("caption", { class: "unseen" }, `${title} by ${step}`);
  byId("chart-figures").replaceChildren(caption, element("thead", {}, element("tr", {}, first, ...heads, total)), element("tbody", {}, ...lines));
}

/** The table of the whole range. */
function tableOf({ named, rows, by, zone, range, measure }) {
  const cost = rows.reduce((sum, row) => sum + parseAmount(row.cost_usd), 0n);
  const counts = COUNTS.filter(([name]) => name !== "unpriced_requests" || rows.some((row) => row[name] > 0));
  const lines = named.map(({ name, hue, row }, place) => {
    const line = { place, name, hue, cost: parseAmount(row.cost_usd), row, search: (name ?? unknownOf(by)).toLowerCase() };
    counts.forEach(([key]) => {
      line[key] = BigInt(row[key]);
    });
    return line;
  });
  const sum = (key) => lines.reduce((all, line) => all + line[key], 0n);
  const foot = { cost, isFoot: true, ...Object.fromEntries(counts.map(([key]) => [key, sum(key)])) };
  const name = {
    key: "name",
    title: by[0].toUpperCase() + by.slice(1),
    isName: true,
    order: (line) => line.search,
    cell: (line) => (line.isFoot ? "Total" : nameCell(line, by)),
  };
  const dollars = {
    key: "cost",
    title: "Cost",
    order: (line) => line.cost,
    cell: (line) => element("span", { title: `$${exact(line.cost)}` }, money(line.cost)),
  };
  const share = { key: "share", title: "Share", order: (line) => line.cost, cell: (line) => percent(line.cost, cost) };
  const counted = counts.map(([key, title]) => ({ key, title, order: (line) => line[key], cell: (line) => count(line[key]) }));
  const file = {
    name: `usage-by-${by}-${range}.csv`,
    head: [by, ...FILE_FIELDS],
    fields: ({ row }) => [row[by], ...FILE_FIELDS.map((name) => row[name])],
  };
  const sort = { cost: "cost", requests: "requests", tokens: "input_tokens" }[measure];
  return { columns: [name, dollars, share, ...counted], rows: lines, foot, file, sort, zone };
}

function nameCell({ name, hue }, by) {
  const mark = element("i", { class: hue > 0 ? `mark hue-${hue}` : "mark" });
  return element("span", { class: "named" }, mark, foreignName(name, unknownOf(by)));
}
