// A table of usage that sorts, filters, and is downloaded as CSV.

import { csvText } from "./csv.js";
import { download, element } from "./dom.js";

/** Rows that are shown at first, and more on request. */
const PAGE_ROWS = 100;

/** Columns have a `key`, a `title`, `isName`, and functions of a row: `order` to compare by, `cell` to
 *  show. `file` says what is downloaded: a name, a head, and the fields of a row. */
export class UsageTable {
  #host;
  #caption;
  #columns = [];
  #rows = [];
  #foot = null;
  #file = null;
  #sort = { key: null, descending: true };
  #filter = "";
  #shown = PAGE_ROWS;
  #parts;

  constructor(host, caption) {
    this.#host = host;
    this.#caption = caption;
    this.#parts = this.#made();
    host.replaceChildren(...Object.values(this.#parts.blocks));
  }

  /** Shows these rows in the order that was chosen before. */
  show({ columns, rows, foot, file, sort }) {
    [this.#columns, this.#rows, this.#foot, this.#file] = [columns, rows, foot, file];
    if (!columns.some(({ key }) => key === this.#sort.key)) {
      this.#sort = { key: sort, descending: true };
    }
    this.#parts.caption.textContent = this.#caption;
    this.#draw();
  }

  #made() {
    const filter = element("input", {
      type: "search",
      placeholder: "Filter by name",
      "aria-label": "Filter the table by name",
      oninput: () => {
        [this.#filter, this.#shown] = [filter.value.trim().toLowerCase(), PAGE_ROWS];
        this.#draw();
      },
    });
    const save = element("button", { type: "button", class: "quiet", onclick: () => this.#save() }, "Download CSV");
    const more = element("button", { type: "button", class: "quiet", onclick: () => this.#more() });
    const caption = element("caption", { class: "unseen" });
    const [head, body, foot] = ["thead", "tbody", "tfoot"].map((tag) => element(tag));
    const found = element("p", { class: "note", role: "status" });
    const table = element("table", {}, caption, head, body, foot);
    const region = { class: "scroll", tabindex: "0", role: "region", "aria-label": this.#caption };
    const blocks = {
      tools: element("div", { class: "tools" }, filter, save),
      scroll: element("div", region, table),
      below: element("div", { class: "tools" }, found, more),
    };
    return { filter, caption, head, body, foot, found, more, blocks };
  }

  #ordered() {
    const column = this.#columns.find(({ key }) => key === this.#sort.key);
    const way = this.#sort.descending ? -1 : 1;
    const found = this.#rows.filter((row) => row.search.includes(this.#filter));
    return found.sort((a, b) => {
      const [x, y] = [column.order(a), column.order(b)];
      return x < y ? -way : x > y ? way : a.place - b.place;
    });
  }

  #draw() {
    const { head, body, foot, found, more } = this.#parts;
    const rows = this.#ordered();
    const focused = document.activeElement?.dataset?.column;
    head.replaceChildren(element("tr", {}, ...this.#columns.map((column) => this.#header(column))));
    head.querySelector(`[data-column="${focused ?? ""}"]`)?.focus();
    body.replaceChildren(...rows.slice(0, this.#shown).map((row) => this.#line(row)));
    foot.replaceChildren(...(this.#filter === "" && this.#foot ? [this.#line(this.#foot)] : []));
    const left = rows.length - Math.min(rows.length, this.#shown);
    const of = rows.length === this.#rows.length ? "" : ` of ${this.#rows.length}`;
    found.textContent = left > 0 || of !== "" ? `${rows.length - left} of ${rows.length}${of} shown` : "";
    if (left === 0 && of !== "") {
      found.textContent = `${rows.length}${of} found`;
    }
    more.hidden = left === 0;
    more.textContent = `Show ${Math.min(left, PAGE_ROWS)} more`;
  }

  #header({ key, title, isName }) {
    const isSorted = this.#sort.key === key;
    const sort = () => {
      const descending = isSorted ? !this.#sort.descending : !isName;
      this.#sort = { key, descending };
      this.#draw();
    };
    const button = element("button", { type: "button", "data-column": key, onclick: sort }, title);
    const way = this.#sort.descending ? "descending" : "ascending";
    const order = isSorted ? way : "none";
    return element("th", { scope: "col", class: isName ? "text" : "number", "aria-sort": order }, button);
  }

  #line(row) {
    const cells = this.#columns.map(({ isName, cell }) =>
      isName
        ? element("th", { scope: "row", class: "text" }, cell(row))
        : element("td", { class: "number" }, cell(row)),
    );
    return element("tr", {}, ...cells);
  }

  #more() {
    const first = this.#shown;
    this.#shown += PAGE_ROWS;
    this.#draw();
    // The button that had the focus is gone.
    if (this.#parts.more.hidden) {
      this.#parts.blocks.scroll.focus();
    }
    this.#parts.body.rows[first]?.scrollIntoView({ block: "nearest" });
  }

  #save() {
    const { name, head, fields } = this.#file;
    download(name, "text/csv;charset=utf-8", csvText([head, ...this.#ordered().map(fields)]));
  }
}
