// The page: who is signed in, and which of its parts they see.

import { Api } from "./api.js";
import { Budgets } from "./budgets.js";
import { dateIn, dateWords, ownZone } from "./calendar.js";
import { byId, element, foreignName } from "./dom.js";
import { History } from "./history.js";
import { Newest } from "./newest.js";
import { Spend } from "./spend.js";
import { startSql } from "./sql.js";
import { showStart } from "./start.js";

/** What this tab keeps: the key, and why it was signed out. */
const STORED = "tokenlake.key";
const REASON = "tokenlake.signed-out";
/** How often figures are asked for again, and how often while there is no event yet. */
const REFRESH = 60_000;
const REFRESH_EMPTY = 3_000;
/** What a timer can wait at most. */
const WAIT_MAX = 2 ** 31 - 1;

const zone = ownZone();
let session = null;

/** One key, from its sign-in to its end. */
class Session {
  #api;
  #me;
  #expiry = null;
  #next = null;
  #spend;
  #history;
  #budgets;
  #newest = new Newest();
  /** The organisation that is looked at. */
  #shown = null;
  #isEmpty = false;

  constructor(api, me) {
    [this.#api, this.#me] = [api, me];
    this.#spend = new Spend(api, zone);
    this.#budgets = new Budgets(api, zone);
  }

  get isOperator() {
    return this.#me.operator === true;
  }

  start() {
    const { expires } = this.#me;
    byId("signed-out").hidden = true;
    byId("signed-in").hidden = false;
    byId("key-about").replaceChildren(...this.#about());
    byId("org-form").hidden = !this.isOperator;
    byId("org-form").onsubmit = (event) => {
      event.preventDefault();
      this.#show(byId("org").value.trim());
    };
    startSql(this.#api);
    if (expires !== null) {
      const left = Date.parse(expires) - this.#api.now();
      if (left < WAIT_MAX) {
        this.#expiry = setTimeout(() => signOut("The key has expired. Sign in with another one."), Math.max(left, 0));
      }
    }
    if (this.isOperator) {
      this.#ask();
    } else {
      this.#show(this.#me.org_id);
    }
  }

  stop() {
    this.#newest.begin();
    clearTimeout(this.#expiry);
    clearTimeout(this.#next);
    document.removeEventListener("visibilitychange", this.#look);
  }

  /** An operator says first which organisation it is about. */
  #ask() {
    byId("whose").textContent = "Which organisation?";
    for (const part of ["usage", "sql", "start", "no-scope"]) {
      byId(part).hidden = true;
    }
  }

  #show(org) {
    const { scopes } = this.#me;
    this.#api.org = this.isOperator ? org : null;
    byId("whose").replaceChildren("Usage of ", foreignName(org));
    byId("start").hidden = this.isOperator;
    byId("sql").hidden = !scopes.includes("sql:read");
    const mayRead = scopes.includes("metrics:read");
    byId("usage").hidden = !mayRead;
    byId("no-scope").hidden = mayRead;
    showStart(org);
    if (mayRead) {
      this.#history ??= new History(this.#api, zone);
      if (this.#shown !== null && this.#shown !== org) {
        // What is there is another organisation's.
        this.#spend.clear();
        this.#history.clear();
        this.#showEmpty(false);
      }
      this.#shown = org;
      document.addEventListener("visibilitychange", this.#look);
      this.#refresh();
    }
  }

  #about() {
    const { dimension, expires } = this.#me;
    const about = [];
    if (dimension !== null) {
      about.push(element("span", {}, `${dimension.name}: `, foreignName(dimension.value)));
    }
    if (expires !== null) {
      about.push(element("span", {}, `key expires ${dateWords(dateIn(zone, Date.parse(expires)))}`));
    }
    return about;
  }

  #look = () => {
    if (!document.hidden) {
      this.#refresh();
    }
  };

  async #refresh() {
    clearTimeout(this.#next);
    const signal = this.#newest.begin();
    const asked = [this.#history.refresh(), this.#spend.refresh()];
    // Only who belongs to an organisation may ask for its budgets.
    asked.push(this.isOperator ? null : this.#budgets.refresh());
    const [usage, spent] = await Promise.allSettled(asked);
    // A part that was asked again meanwhile has no answer here.
    const isKnown = [usage, spent].every(({ status, value }) => status === "fulfilled" && value !== null);
    const isUsed = isKnown && (usage.value || spent.value.month.requested > 0);
    // Only what is empty so far may turn out to have had no event at all.
    const isEmpty = isKnown && !isUsed && !signal.aborted && (await this.#hadNoEvent(signal).catch(() => false));
    if (signal.aborted) {
      return;
    }
    if (isKnown) {
      this.#showEmpty(isEmpty);
    }
    const wait = this.#isEmpty ? REFRESH_EMPTY : REFRESH;
    this.#next = setTimeout(() => (document.hidden ? undefined : this.#refresh()), wait);
  }

  async #hadNoEvent(signal) {
    const { rows } = await this.#api.usage({ from: "2015-01-01", step: "total" }, signal);
    return rows.length === 0;
  }

  #showEmpty(isEmpty) {
    this.#isEmpty = isEmpty;
    byId("welcome").hidden = !isEmpty;
    byId("history").hidden = isEmpty;
    // What to paste comes before the SQL box, which would be empty as well.
    byId("main").classList.toggle("is-empty", isEmpty);
  }
}

async function signIn(key) {
  const refuse = () => signOut("The server does not know this key. It may be mistyped, expired or revoked.");
  // Nothing else can be in a header.
  if (!/^[\x21-\x7e]+$/.test(key)) {
    refuse();
    return;
  }
  const api = new Api(key, () => (session === null ? refuse() : signOut("The key is no longer valid: it has expired or was revoked. Sign in with another one.")));
  const me = await api.me();
  sessionStorage.setItem(STORED, key);
  session = new Session(api, me);
  session.start();
}

/** Forgets the key, and says why if there is more to say than that it was wished. */
function signOut(reason = "") {
  sessionStorage.removeItem(STORED);
  session?.stop();
  const wasSignedIn = session !== null;
  session = null;
  if (wasSignedIn) {
    // What was shown is gone with the page that showed it.
    sessionStorage.setItem(REASON, reason);
    location.reload();
    return;
  }
  showDoor(reason);
}

function showDoor(reason) {
  byId("signed-in").hidden = true;
  byId("signed-out").hidden = false;
  byId("key-refused").textContent = reason;
  byId("key").setAttribute("aria-invalid", String(reason !== ""));
  byId("key").focus();
}

byId("sign-in").addEventListener("submit", async (event) => {
  event.preventDefault();
  const [input, button] = [byId("key"), byId("sign-in-button")];
  button.disabled = true;
  try {
    await signIn(input.value.trim());
    input.value = "";
    byId(session?.isOperator ? "org" : "whose").focus();
  } catch (error) {
    if (error.status !== 401) {
      showDoor(error.message);
    }
  } finally {
    button.disabled = false;
  }
});

byId("sign-out").addEventListener("click", () => signOut());

const stored = sessionStorage.getItem(STORED);
if (stored === null) {
  showDoor(sessionStorage.getItem(REASON) ?? "");
  sessionStorage.removeItem(REASON);
} else {
  signIn(stored).catch((error) => {
    if (error.status !== 401) {
      showDoor(error.message);
    }
  });
}
