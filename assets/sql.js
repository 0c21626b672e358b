// A box for SQL, and the rows of the answer.

import { readCsv } from "./csv.js";
import { byId, element } from "./dom.js";
import { Newest } from "./newest.js";

/** Rows that are shown; the rest of an answer is not read. */
const ROWS_MAX = 1000;

/** Makes the box ask `api`. Who asks again gives up what was asked before. */
export function startSql(api) {
  const [form, box] = [byId("sql-form"), byId("sql-query")];
  const newest = new Newest();
  const ask = () => {
    byId("sql-status").textContent = "Running…";
    const asked = newest.run(byId("sql-answer"), {
      ask: (signal) => rowsOf(api, box.value, signal),
      show: showRows,
      fail: ({ message }) => {
        byId("sql-status").textContent = "";
        byId("sql-answer").replaceChildren(element("p", { class: "failure", role: "alert" }, message));
      },
    });
    // What went wrong is shown in its place.
    asked.catch(() => {});
  };
  form.onsubmit = (event) => {
    event.preventDefault();
    ask();
  };
  box.onkeydown = (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      ask();
    }
  };
}

async function rowsOf(api, query, signal) {
  const reading = new AbortController();
  signal.addEventListener("abort", () => reading.abort());
  const rows = [];
  let [head, isCut] = [[], false];
  const body = await api.sql(query, reading.signal);
  try {
    head = await readCsv(body, (row, names) => {
      head = names;
      if (rows.length === ROWS_MAX) {
        isCut = true;
        reading.abort();
      } else {
        rows.push(row);
      }
    });
  } catch (error) {
    if (error.name !== "AbortError") {
      throw new Error("The answer broke off before its end. Ask for fewer rows, or again.");
    }
  }
  return { head, rows, isCut };
}

function showRows({ head, rows, isCut }) {
  const isNumber = head.map((_, at) => rows.every((row) => /^(-?[\d.]+)?$/.test(row[at])));
  const kind = (at) => (isNumber[at] ? "number" : "text");
  const heads = head.map((name, at) => element("th", { scope: "col", class: kind(at) }, name));
  const cell = (value, at) => element("td", { class: kind(at) }, element("bdi", { dir: "auto" }, value));
  const lines = rows.map((row) => element("tr", {}, ...row.map(cell)));
  const caption = element("caption", { class: "unseen" }, "Rows of the answer");
  const table = element("table", {}, caption, element("thead", {}, element("tr", {}, ...heads)), element("tbody", {}, ...lines));
  const region = { class: "scroll", tabindex: "0", role: "region", "aria-label": "Rows of the answer" };
  byId("sql-answer").replaceChildren(element("div", region, table));
  const counted = rows.length === 1 ? "1 row" : `${rows.length} rows`;
  byId("sql-status").textContent = isCut ? `The first ${ROWS_MAX} rows. Add a LIMIT, or ask the server for all.` : counted;
}
