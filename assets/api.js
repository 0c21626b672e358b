// Requests to this server, with the key of the one who looks.

/** What the server, or the way to it, has against a request. `status` is 0 if there was no answer. */
export class ApiError extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/** The server, for one key. */
export class Api {
  #key;
  /** How far the server's clock is ahead of this one, in milliseconds. */
  #ahead = 0;
  #onRefused;
  /** Of an operator: the organisation that is looked at. */
  org = null;

  /** `onRefused` is told when the server does not know the key any longer. */
  constructor(key, onRefused) {
    this.#key = key;
    this.#onRefused = onRefused;
  }

  /** Now, by the server's clock. */
  now() {
    return Date.now() + this.#ahead;
  }

  /** Whose the key is. */
  async me() {
    const response = await this.#ask("/v1/me", {});
    const date = Date.parse(response.headers.get("date"));
    // The header has whole seconds.
    const ahead = date - Date.now();
    this.#ahead = Math.abs(ahead) > 2000 ? ahead : 0;
    return response.json();
  }

  /** Usage: the answer of the server, with the names that it can be grouped by. */
  async usage(question, signal) {
    const response = await this.#ask(this.#usagePath(question), { signal });
    const names = response.headers.get("tokenlake-group-by") ?? "";
    return { ...(await response.json()), groups: names.split(", ").filter(Boolean) };
  }

  /** The same as CSV, to be read as it arrives. */
  usageCsv(question, signal) {
    return this.#ask(this.#usagePath({ ...question, format: "csv" }), { signal });
  }

  /** The budgets of the key's organisation. */
  async budgets(signal) {
    return (await this.#ask("/v1/budgets", { signal })).json();
  }

  /** The rows of a query as CSV. */
  sql(query, signal) {
    const headers = { accept: "text/csv", "content-type": "application/json" };
    return this.#ask("/v1/sql", { method: "POST", headers, body: JSON.stringify({ query }), signal });
  }

  #usagePath(question) {
    const asked = this.org === null ? question : { ...question, org: this.org };
    return `/v1/usage?${new URLSearchParams(asked)}`;
  }

  async #ask(path, { headers = {}, ...options }) {
    const authorization = `Bearer ${this.#key}`;
    let response;
    try {
      const sent = { ...options, headers: { ...headers, authorization }, cache: "no-store" };
      response = await fetch(path, sent);
    } catch (error) {
      if (error.name === "AbortError") {
        throw error;
      }
      throw new ApiError(0, "The server does not answer. Is it running, and is the network there?");
    }
    if (response.ok) {
      return response;
    }
    const refusal = new ApiError(response.status, await reason(response));
    if (refusal.status === 401) {
      this.#onRefused();
    }
    throw refusal;
  }
}

async function reason(response) {
  const body = await response.json().catch(() => ({}));
  return typeof body.error === "string" ? body.error : `The server answers ${response.status}.`;
}
