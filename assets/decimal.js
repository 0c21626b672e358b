// Exact amounts: decimal text of the server to units of 10^-12 dollars, and units to text for people.
// No amount is ever a float; only the height of a bar is.

const PLACES = 12;
const UNIT = 10n ** BigInt(PLACES);
const CENTS_PLACES = 2;

/** The units of a decimal text such as `-1.25`. */
export function parseAmount(text) {
  const [, sign, whole, fraction = ""] = /^(-?)(\d+)(?:\.(\d{1,12}))?$/.exec(text);
  return BigInt(sign + whole + fraction.padEnd(PLACES, "0"));
}

/** `amount` × `numerator` ÷ `denominator`, rounded half-even. */
export function scaled(amount, numerator, denominator) {
  return divided(amount * numerator, denominator);
}

/** Decimal text with so many places, rounded half-even, and digits in groups of three. */
export function rounded(units, places) {
  const digits = divided(units, 10n ** BigInt(PLACES - places));
  const text = String(digits < 0n ? -digits : digits).padStart(places + 1, "0");
  const whole = grouped(text.slice(0, text.length - places));
  const fraction = places > 0 ? `.${text.slice(-places)}` : "";
  return `${digits < 0n ? "-" : ""}${whole}${fraction}`;
}

/** Dollars and cents; an amount below a cent with its first two digits, so that it does not look like
 *  nothing. */
export function money(units) {
  const text = rounded(units, placesOf(units));
  return text.startsWith("-") ? `-$${text.slice(1)}` : `$${text}`;
}

/** All digits of an amount, as the server writes it. */
export function exact(units) {
  const text = rounded(units, PLACES).replaceAll(",", "");
  return text.replace(/\.?0+$/, "");
}

/** A count with digits in groups of three. */
export function count(number) {
  return grouped(String(number));
}

/** How many parts in a hundred `part` is of `whole`, with one place; none of nothing. */
export function percent(part, whole) {
  if (whole <= 0n || part < 0n) {
    return "–";
  }
  return `${rounded(scaled(part * UNIT, 100n, whole), 1)} %`;
}

/** For drawing alone. */
export function drawn(units) {
  return Number(units) / Number(UNIT);
}

/** A count in the same units, so that one chart draws counts and amounts. */
export function unitsOf(number) {
  return BigInt(number) * UNIT;
}

/** A count again. */
export function countOf(units) {
  return count(units / UNIT);
}

function placesOf(units) {
  const size = units < 0n ? -units : units;
  if (size === 0n || size * 100n >= UNIT) {
    return CENTS_PLACES;
  }
  return Math.min(PLACES, PLACES - String(size).length + 2);
}

function divided(number, by) {
  const [size, negative] = number < 0n ? [-number, true] : [number, false];
  const [quotient, rest] = [size / by, (size % by) * 2n];
  const up = rest > by || (rest === by && quotient % 2n === 1n);
  const result = up ? quotient + 1n : quotient;
  return negative ? -result : result;
}

function grouped(digits) {
  return digits.replace(/\B(?=(\d{3})+$)/g, ",");
}
