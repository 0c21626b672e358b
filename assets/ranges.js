// Which range is looked at, and in which steps.

import { addDays, addMonths, dateIn, daysBetween } from "./calendar.js";

const HOUR = 3_600_000;

export const RANGES = [
  ["24h", "Last 24 hours"],
  ["7d", "Last 7 days"],
  ["30d", "Last 30 days"],
  ["90d", "Last 90 days"],
  ["month", "This month"],
  ["last-month", "Last month"],
  ["12m", "Last 12 months"],
  ["own", "Between dates…"],
];

const STEPS = [
  ["hour", "Hour"],
  ["day", "Day"],
  ["week", "Week"],
  ["month", "Month"],
];
/** The longest range, in days, of which a chart shows each step. */
const LONGEST = { hour: 31, day: 400, week: 2800, month: 12_000 };

/** A range by its name: `from` and `to` are dates of the zone's clock, or instants in milliseconds. */
export function rangeOf(name, zone, now, own) {
  const today = dateIn(zone, now);
  const month = `${today.slice(0, 7)}-01`;
  const tomorrow = addDays(today, 1);
  switch (name) {
    case "24h":
      return { from: now - 24 * HOUR, to: now };
    case "7d":
    case "30d":
    case "90d":
      return { from: addDays(tomorrow, -parseInt(name, 10)), to: tomorrow };
    case "month":
      return { from: month, to: addMonths(month, 1) };
    case "last-month":
      return { from: addMonths(month, -1), to: month };
    case "12m":
      return { from: addMonths(month, -11), to: addMonths(month, 1) };
    default:
      return { from: own.from, to: addDays(own.to, 1) };
  }
}

/** The days of a range, about. */
export function daysOf({ from, to }) {
  return typeof from === "string" ? daysBetween(from, to) : Math.ceil((to - from) / (24 * HOUR));
}

/** The steps that a chart of so many days can show, the usual one first. */
export function stepsFor(days) {
  const usual = days <= 2 ? "hour" : days <= 100 ? "day" : days <= 200 ? "week" : "month";
  return { usual, choices: STEPS.filter(([step]) => days <= LONGEST[step]) };
}

/** A range as the server is asked for it. */
export function asked({ from, to }) {
  const text = (at) => (typeof at === "string" ? at : new Date(at).toISOString());
  return { from: text(from), to: text(to) };
}
