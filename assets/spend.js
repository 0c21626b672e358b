// What is spent now: the last 24 hours, today, this month, and the month at this rate.

import { addDays, addMonths, clockText, dateIn, dateWords } from "./calendar.js";
import { count, exact, money, parseAmount, percent, scaled } from "./decimal.js";
import { byId, element, failure } from "./dom.js";
import { Newest } from "./newest.js";

const DAY = 86_400_000;

/** The figures, asked of `api` for the dates of a zone. */
export class Spend {
  #api;
  #zone;
  #newest = new Newest();

  constructor(api, zone) {
    this.#api = api;
    this.#zone = zone;
  }

  /** Asks and shows, and gives what was spent; what is shown stays until the answers are there. Null if it
   *  was asked again meanwhile. */
  refresh() {
    return this.#newest.run(byId("spend-figures"), {
      ask: (signal) => this.#ask(signal),
      show: (spent) => this.#show(spent),
      fail: (error) => {
        byId("spend-figures").hidden = true;
        byId("spend-failure").replaceChildren(failure(error, () => this.refresh().catch(() => {})));
      },
    });
  }

  /** Shows no figure until there is another answer. */
  clear() {
    const blank = (selector, text) => byId("spend-figures").querySelectorAll(selector).forEach((field) => {
      field.textContent = text;
      field.removeAttribute("title");
    });
    blank(".value", "–");
    blank(".note", "…");
    byId("spend-failure").replaceChildren();
    [byId("spend-note").textContent, byId("spend-as-of").textContent] = ["", ""];
  }

  #show(spent) {
    const host = byId("spend-figures");
    host.replaceChildren(...this.#figures(spent));
    host.hidden = false;
    byId("spend-failure").replaceChildren();
    byId("spend-note").textContent = unpricedNote(spent.month.unpriced);
    byId("spend-as-of").textContent = `as of ${clockText(this.#zone, spent.now)}, ${this.#zone}`;
  }

  async #ask(signal) {
    const now = this.#api.now();
    const date = dateIn(this.#zone, now);
    const first = `${date.slice(0, 7)}-01`;
    const ask = async (from, to) => {
      const question = { from, step: "total", timezone: this.#zone };
      return whole(await this.#api.usage(to === null ? question : { ...question, to }, signal));
    };
    const [day, today, month] = await Promise.all([
      ask(new Date(now - DAY).toISOString(), null),
      ask(date, addDays(date, 1)),
      ask(first, addMonths(first, 1)),
    ]);
    return { now, date, first, day, today, month };
  }

  #figures({ now, date, first, day, today, month }) {
    const passed = BigInt(now - month.from);
    const rate = passed > 0n ? scaled(month.spent, BigInt(month.to - month.from), passed) : null;
    const part = percent(passed, BigInt(month.to - month.from));
    return [
      figure("Last 24 hours", day.spent, requests(day)),
      figure("Today", today.spent, `${requests(today)} on ${dateWords(date, DAY_AND_MONTH)}`),
      figure("This month", month.spent, `${requests(month)} since ${dateWords(first, DAY_AND_MONTH)}`),
      figure("Month at this rate", rate, `${part} of the month has passed`),
    ];
  }
}

const DAY_AND_MONTH = { day: "numeric", month: "short" };

/** The one row of a total. */
function whole({ rows: [row], from, to }) {
  const spent = parseAmount(row?.cost_usd ?? "0");
  const [requested, unpriced] = [row?.requests ?? 0, row?.unpriced_requests ?? 0];
  return { spent, requested, unpriced, from: Date.parse(from), to: Date.parse(to) };
}

function requests({ requested }) {
  return `${count(requested)} ${requested === 1 ? "request" : "requests"}`;
}

function figure(name, spent, note) {
  const title = spent === null ? null : `$${exact(spent)}`;
  const value = element("dd", { class: "value", title }, spent === null ? "–" : money(spent));
  return element("div", {}, element("dt", {}, name), value, element("dd", { class: "note" }, note));
}

function unpricedNote(unpriced) {
  if (unpriced === 0) {
    return "";
  }
  const what = unpriced === 1 ? "1 request of this month has" : `${count(unpriced)} requests of this month have`;
  return `${what} no price yet. What they cost is not in these figures.`;
}
