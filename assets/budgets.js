// Budgets, and how full they are.

import { dateIn, dateWords } from "./calendar.js";
import { exact, money, parseAmount } from "./decimal.js";
import { byId, element, failure, foreignName } from "./dom.js";
import { Newest } from "./newest.js";

const SVG = "http://www.w3.org/2000/svg";
const PERIODS = { "rolling-24h": "last 24 hours", day: "day", week: "week", month: "month" };
const DAY_AND_MONTH = { day: "numeric", month: "short" };
/** The whole of a budget, in percent. */
const WHOLE = 100;

/** The budgets of the key's organisation, asked of `api`; times are shown on the clock of a zone. */
export class Budgets {
  #api;
  #zone;
  #newest = new Newest();

  constructor(api, zone) {
    this.#api = api;
    this.#zone = zone;
  }

  /** Asks and shows; what is shown stays until the answer is there. */
  async refresh() {
    const part = byId("budgets");
    await this.#newest.run(part, {
      ask: (signal) => this.#api.budgets(signal),
      show: (budgets) => this.#show(budgets),
      fail: (error) => {
        [byId("budgets-list").hidden, byId("budgets-none").hidden, part.hidden] = [true, true, false];
        byId("budgets-failure").replaceChildren(failure(error, () => this.refresh().catch(() => {})));
      },
    });
  }

  #show(budgets) {
    const list = byId("budgets-list");
    list.replaceChildren(...budgets.map((budget) => this.#item(budget)));
    list.hidden = budgets.length === 0;
    byId("budgets-none").hidden = budgets.length > 0;
    byId("budgets-failure").replaceChildren();
    byId("budgets").hidden = false;
  }

  #item(budget) {
    const { name, amount, spent } = budget;
    const head = element("div", { class: "budget-head" }, element("h3", {}, foreignName(name)), this.#period(budget));
    if (spent === null) {
      const why = "What was spent is not known: its dimension is no longer declared.";
      return element("li", {}, head, element("p", { class: "note" }, `${dollars(amount)}. ${why}`));
    }
    const remaining = parseAmount(budget.remaining);
    const left = remaining < 0n ? `${money(-remaining)} over` : `${money(remaining)} left`;
    const spentOf = element("p", { class: "budget-spent" },
      element("b", { title: `$${exact(parseAmount(spent))}` }, dollars(spent)), ` of ${dollars(amount)}`);
    const percent = element("p", { class: "budget-percent" }, `${budget.percent} %`);
    return element("li", { class: remaining <= 0n ? "over" : null }, head,
      element("div", { class: "budget-figures" }, spentOf, percent), bar(budget),
      element("p", { class: "note" }, left, this.#told(budget.thresholds)));
  }

  #period({ period, start, end }) {
    const words = PERIODS[period] ?? period;
    const days = [start, end].map((at) => at && dateWords(dateIn(this.#zone, Date.parse(at)), DAY_AND_MONTH));
    const text = period === "rolling-24h" || days[1] === null ? words : `${words} from ${days[0]}`;
    return element("p", { class: "note" }, text);
  }

  /** The highest threshold that was crossed, and when. */
  #told(thresholds) {
    const fired = thresholds.filter(({ fired_at }) => fired_at !== null).at(-1);
    if (fired === undefined) {
      return "";
    }
    const date = dateWords(dateIn(this.#zone, Date.parse(fired.fired_at)), DAY_AND_MONTH);
    return ` · ${fired.percent} % crossed on ${date}`;
  }
}

/** A bar with a mark for each threshold. What it says stands in words beside it. */
function bar({ percent, thresholds }) {
  const most = Math.max(WHOLE, ...thresholds.map((threshold) => threshold.percent));
  const share = (of) => `${Math.min(Math.max(of / most, 0), 1) * 100}%`;
  const full = { height: "100%", rx: 4 };
  const marks = thresholds.filter((threshold) => threshold.percent < most).map((threshold) => {
    const at = share(threshold.percent);
    return drawn("line", { x1: at, x2: at, y1: "0", y2: "100%" });
  });
  const filled = drawn("rect", { ...full, class: "filled", width: share(Number(percent)) });
  return drawn("svg", { class: "budget-bar", "aria-hidden": "true" }, drawn("rect", { ...full, width: "100%" }), filled, ...marks);
}

function drawn(tag, attributes, ...children) {
  const made = document.createElementNS(SVG, tag);
  Object.entries(attributes).forEach(([name, value]) => made.setAttribute(name, value));
  made.append(...children);
  return made;
}

function dollars(amount) {
  return money(parseAmount(amount));
}
