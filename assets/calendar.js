// Dates and steps on the clock of a zone. Dates are texts such as `2026-11-29`.

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

/** The zone of this browser, as the server knows it. */
export function ownZone() {
  return knownZone(new Intl.DateTimeFormat().resolvedOptions().timeZone);
}

/** A browser's name of a zone as one that the server knows. Some call a zone by its offset, for which there
 *  is a name where it is in whole hours, and some have names for a zone that was never set. */
export function knownZone(name) {
  const [, sign, hours] = /^([+-])(\d\d):00$/.exec(name) ?? [];
  if (sign !== undefined) {
    const [hour, most] = [Number(hours), sign === "+" ? 14 : 12];
    // These names count from the place to UTC.
    const turned = sign === "+" ? "-" : "+";
    return hour === 0 || hour > most ? "UTC" : `Etc/GMT${turned}${hour}`;
  }
  const isName = Intl.supportedValuesOf("timeZone").includes(name) || /^\w+\/[\w/+-]+$/.test(name ?? "");
  return isName && name !== "Etc/Unknown" ? name : "UTC";
}

/** The date of an instant. */
export function dateIn(zone, instant) {
  return new Date(instant + offset(zone, instant)).toISOString().slice(0, 10);
}

export function addDays(date, days) {
  return dateText(Date.parse(date) + days * DAY);
}

/** The first of the month that is so many months later. */
export function addMonths(date, months) {
  const [year, month] = date.split("-").map(Number);
  return dateText(Date.UTC(year, month - 1 + months, 1));
}

/** How many days from a date to another. */
export function daysBetween(from, to) {
  return Math.round((Date.parse(to) - Date.parse(from)) / DAY);
}

/** The steps of a range, in order, by the keys that `stepKey` gives their rows. `range.from` and `.to`
 *  are dates or instants in milliseconds, and `to` is left out. */
export function stepKeys(step, { from, to }, zone) {
  if (step === "hour") {
    return hours(instant(from, zone), instant(to, zone), zone);
  }
  const dates = [from, to].map((at) => (typeof at === "string" ? at : dateIn(zone, at)));
  const last = typeof to === "string" ? addDays(to, -1) : dates[1];
  const keys = [];
  for (let at = startOf(step, dates[0]); at <= last; at = next(step, at)) {
    keys.push(at);
  }
  return keys;
}

/** The key of the step that begins at an RFC 3339 time of the server. */
export function stepKey(step, start) {
  return step === "hour" ? Date.parse(start) : start.slice(0, 10);
}

/** A step as people call it: in full, and short for an axis. */
export function stepNames(step, key, zone) {
  const shown = (options) => {
    const inZone = { ...options, timeZone: step === "hour" ? zone : "UTC" };
    return new Intl.DateTimeFormat("en-GB", inZone).format(step === "hour" ? key : Date.parse(key));
  };
  const date = { day: "numeric", month: "short" };
  const clock = { hour: "2-digit", minute: "2-digit" };
  switch (step) {
    case "hour":
      return [shown({ weekday: "short", ...date, ...clock }), shown(clock), shown(date)];
    case "day":
      return [shown({ weekday: "short", ...date, year: "numeric" }), shown(date)];
    case "week":
      return [`Week of ${shown({ ...date, year: "numeric" })}`, shown(date)];
    default:
      return [shown({ month: "long", year: "numeric" }), shown({ month: "short", year: "2-digit" })];
  }
}

/** An instant on the clock of a zone. */
export function clockText(zone, at) {
  const options = { timeZone: zone, hour: "2-digit", minute: "2-digit", second: "2-digit" };
  return new Intl.DateTimeFormat("en-GB", options).format(at);
}

/** A date in words. */
export function dateWords(date, options = { day: "numeric", month: "long", year: "numeric" }) {
  return new Intl.DateTimeFormat("en-GB", { ...options, timeZone: "UTC" }).format(Date.parse(date));
}

function hours(from, to, zone) {
  const shift = offset(zone, from);
  const keys = [];
  for (let at = Math.floor((from + shift) / HOUR) * HOUR - shift; at < to; at += HOUR) {
    keys.push(at);
  }
  return keys;
}

function startOf(step, date) {
  if (step === "month") {
    return `${date.slice(0, 7)}-01`;
  }
  // Weeks begin on Monday.
  const days = step === "week" ? (new Date(Date.parse(date)).getUTCDay() + 6) % 7 : 0;
  return addDays(date, -days);
}

function next(step, date) {
  return step === "month" ? addMonths(date, 1) : addDays(date, step === "week" ? 7 : 1);
}

/** When a date begins; twice, since the first guess may be on the other side of a change of clocks. */
function instant(at, zone) {
  if (typeof at !== "string") {
    return at;
  }
  const midnight = Date.parse(at);
  const guess = midnight - offset(zone, midnight);
  return midnight - offset(zone, guess);
}

/** By how much the clock of a zone is ahead of UTC, in milliseconds. */
function offset(zone, at) {
  const names = ["year", "month", "day", "hour", "minute", "second"];
  const options = Object.fromEntries(names.map((name) => [name, "numeric"]));
  const format = new Intl.DateTimeFormat("en-US", { ...options, timeZone: zone, hourCycle: "h23" });
  const parts = Object.fromEntries(format.formatToParts(at).map(({ type, value }) => [type, value]));
  const [year, month, day, hour, minute, second] = names.map((name) => Number(parts[name]));
  const clock = Date.UTC(year, month - 1, day, hour, minute, second);
  return clock - Math.floor(at / 1000) * 1000;
}

function dateText(at) {
  return new Date(at).toISOString().slice(0, 10);
}
