// Stacked bars over time, drawn by uPlot. Names are never drawn: the legend and the tip have them.

import { drawn } from "./decimal.js";
import { element, foreignName } from "./dom.js";

/* global uPlot */

const HEIGHT = 280;
/** The least room for a label below the bars, and for a step to be parted from the next. */
const LABEL_WIDTH = 64;
const PARTED_STEPS_MAX = 120;
/** Hours between labels. */
const DAY_PARTS = [1, 2, 3, 4, 6, 12, 24];

/** A chart in `host`. */
export class StackedChart {
  #host;
  #plot = null;
  #tip = element("div", { class: "tip", "aria-hidden": "true" });
  #shown = null;

  constructor(host) {
    this.#host = host;
    new ResizeObserver(() => this.#resize()).observe(host);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#redraw());
    host.addEventListener("keydown", (event) => this.#key(event));
    host.addEventListener("blur", () => this.#hover(null));
  }

  /** Draws: `steps` have a full `name` and a `short` one, and hours say which is midnight; `series` a name, a colour's number and an
   *  amount for each step; `text` makes an amount readable. */
  show(shown) {
    this.#shown = shown;
    this.#host.setAttribute("aria-label", shown.label);
    this.#redraw();
  }

  #redraw() {
    this.#plot?.destroy();
    this.#plot = null;
    if (this.#shown === null || this.#host.clientWidth === 0) {
      return;
    }
    const { steps, series } = this.#shown;
    // The whole stack first; each later bar is drawn over it, up to where its own part ends.
    const tops = stacked(series.map(({ amounts }) => amounts)).reverse();
    const bars = tops.map((ends) => ends.map((end) => (end === null ? null : drawn(end))));
    const data = [steps.map((_, at) => at), ...bars];
    this.#plot = new uPlot(this.#options(), data, this.#host);
    this.#plot.over.append(this.#tip);
    this.#hover(null);
  }

  #options() {
    const { steps, series, tick } = this.#shown;
    const style = getComputedStyle(this.#host);
    const colour = (name) => style.getPropertyValue(name).trim();
    const font = `12px ${style.fontFamily}`;
    const axis = { font, stroke: colour("--muted"), ticks: { show: false } };
    const paths = uPlot.paths.bars({ size: [0.78, 72] });
    const width = steps.length > PARTED_STEPS_MAX ? 0 : 1;
    const bars = series.map(({ hue }) => ({
      fill: colour(`--series-${hue}`),
      stroke: colour("--ground"),
      width,
      paths,
      points: { show: false },
    }));
    return {
      width: this.#host.clientWidth,
      height: HEIGHT,
      padding: [12, 4, 0, 0],
      legend: { show: false },
      cursor: { y: false, points: { show: false }, drag: { x: false, y: false } },
      scales: { x: { time: false, range: [-0.5, steps.length - 0.5] }, y: { range: yRange } },
      axes: [
        { ...axis, grid: { show: false }, gap: 6, size: 30, splits: (plot) => this.#labelled(plot), values: (_, at) => at.map((index) => steps[index].short) },
        { ...axis, grid: { stroke: colour("--line"), width: 1 }, gap: 8, size: 60, values: (_, values) => values.map(tick) },
      ],
      series: [{}, ...bars.reverse()],
      hooks: { setCursor: [(plot) => this.#hover(plot.cursor.left < 0 ? null : plot.cursor.idx)] },
    };
  }

  #labelled(plot) {
    const { steps } = this.#shown;
    const least = (steps.length * LABEL_WIDTH) / Math.max(plot.bbox.width / devicePixelRatio, 1);
    const midnight = steps.findIndex(({ isMidnight }) => isMidnight);
    // Hours are labelled at the same times each day.
    const every = midnight < 0 ? Math.ceil(least) : (DAY_PARTS.find((hours) => hours >= least) ?? Math.ceil(least / 24) * 24);
    const from = midnight < 0 ? Math.floor(((steps.length - 1) % every) / 2) : midnight % every;
    return steps.map((_, at) => at).filter((at) => at % every === from);
  }

  #hover(at) {
    this.#tip.hidden = at === null || at === undefined;
    if (this.#tip.hidden) {
      return;
    }
    const { steps, series, text } = this.#shown;
    const used = series.filter(({ amounts }) => amounts[at] !== 0n).reverse();
    const total = series.reduce((sum, { amounts }) => sum + amounts[at], 0n);
    const line = (mark, name, amount) =>
      element("div", {}, mark, element("span", { class: "of" }, name), element("b", {}, text(amount)));
    const lines = used.map(({ name, hue, amounts }) =>
      line(element("i", { class: `mark hue-${hue}` }), typeof name === "string" ? name : foreignName(name.text, name.unknown), amounts[at]),
    );
    const all = line("", "Total", total);
    this.#tip.replaceChildren(element("strong", {}, steps[at].name), ...lines, all);
    this.#place(at);
  }

  #place(at) {
    const { over } = this.#plot;
    const x = this.#plot.valToPos(at, "x");
    const isRight = x > over.clientWidth / 2;
    this.#tip.style.left = isRight ? "auto" : `${x + 14}px`;
    this.#tip.style.right = isRight ? `${over.clientWidth - x + 14}px` : "auto";
  }

  #key(event) {
    if (this.#plot === null) {
      return;
    }
    const last = this.#shown.steps.length - 1;
    const at = this.#plot.cursor.left < 0 ? null : this.#plot.cursor.idx;
    const to = {
      ArrowLeft: at === null ? last : Math.max(at - 1, 0),
      ArrowRight: at === null ? 0 : Math.min(at + 1, last),
      Home: 0,
      End: last,
      Escape: null,
    }[event.key];
    if (to === undefined) {
      return;
    }
    event.preventDefault();
    const left = to === null ? -10 : this.#plot.valToPos(to, "x");
    this.#plot.setCursor({ left, top: to === null ? -10 : 10 });
  }

  #resize() {
    const width = this.#host.clientWidth;
    if (this.#plot === null) {
      this.#redraw();
    } else if (width > 0 && width !== this.#plot.width) {
      this.#plot.setSize({ width, height: HEIGHT });
    }
  }
}

/** Where the part of each series ends in the stack of each step: amounts above 0 go up, others down.
 *  Nothing has no end: a bar of no height would still have an edge. */
function stacked(series) {
  const [up, down] = [[], []];
  return series.map((amounts) =>
    amounts.map((amount, at) => {
      if (amount === 0n) {
        return null;
      }
      const side = amount < 0n ? down : up;
      side[at] = (side[at] ?? 0n) + amount;
      return side[at];
    }),
  );
}

function yRange(_, min, max) {
  const [low, high] = [Math.min(min ?? 0, 0), Math.max(max ?? 0, 0)];
  const room = (high - low) * 0.06;
  return low === high ? [0, 1] : [low < 0 ? low - room : 0, high + room];
}
