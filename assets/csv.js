// CSV (RFC 4180): read row by row as it arrives, and written.

/** Gives the rows of a text that arrives in parts, each as a list of fields. */
export class CsvReader {
  #line = "";
  #onRow;

  constructor(onRow) {
    this.#onRow = onRow;
  }

  write(text) {
    for (const part of text.split(/(?<=\n)/)) {
      this.#line += part;
      // A line within quotes goes on.
      if (part.endsWith("\n") && this.#line.split('"').length % 2 === 1) {
        this.#endRow();
      }
    }
  }

  end() {
    if (this.#line !== "") {
      this.#endRow();
    }
  }

  #endRow() {
    const line = this.#line.replace(/\r?\n$/, "");
    this.#line = "";
    this.#onRow(line.includes('"') ? quotedFields(line) : line.split(","));
  }
}

/** Reads the body of an answer; `onRow` gets each row but the head, with the head's names. */
export async function readCsv(response, onRow) {
  let head = null;
  const reader = new CsvReader((row) => {
    if (head === null) {
      head = row;
    } else {
      onRow(row, head);
    }
  });
  const parts = response.body.pipeThrough(new TextDecoderStream()).getReader();
  for (;;) {
    const { done, value } = await parts.read();
    if (done) {
      break;
    }
    reader.write(value);
  }
  reader.end();
  return head ?? [];
}

/** Rows of fields as a text; null is empty. */
export function csvText(rows) {
  return rows.map((row) => `${row.map(csvField).join(",")}\r\n`).join("");
}

function csvField(value) {
  const text = String(value ?? "");
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function quotedFields(line) {
  const fields = `,${line}`.matchAll(/,(?:"((?:[^"]|"")*)"|([^",]*))/g);
  return [...fields].map(([, quoted, plain]) => quoted?.replaceAll('""', '"') ?? plain);
}
