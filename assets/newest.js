// Questions that take the place of each other: only what the newest one brings is shown.

/** Asks one thing after another, for one part of the page. */
export class Newest {
  #asking = new AbortController();

  /** Gives up what was asked before. The signal tells when this question is given up. */
  begin() {
    this.#asking.abort();
    this.#asking = new AbortController();
    return this.#asking.signal;
  }

  /** Asks by `ask`, which gets the signal, and hands its answer to `show` or what went wrong to `fail`, while
   *  `host` is busy. Gives the answer; null, and neither is called, if another question took its place. */
  async run(host, { ask, show, fail }) {
    const signal = this.begin();
    host.setAttribute("aria-busy", "true");
    try {
      const answer = await ask(signal);
      if (signal.aborted) {
        return null;
      }
      show(answer);
      return answer;
    } catch (error) {
      if (signal.aborted) {
        return null;
      }
      fail(error);
      throw error;
    } finally {
      if (!signal.aborted) {
        host.removeAttribute("aria-busy");
      }
    }
  }
}
