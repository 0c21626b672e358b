// Elements of the page. Text goes in as text, never as markup.

/** An element: `properties` are attributes, and listeners by names such as `onclick`. */
export function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith("on")) {
      made.addEventListener(name.slice(2), value);
    } else if (value === true) {
      made.setAttribute(name, "");
    } else if (value !== false && value !== null) {
      made.setAttribute(name, value);
    }
  }
  made.append(...children);
  return made;
}

/** The element with an id. */
export function byId(id) {
  return document.getElementById(id);
}

/** A name that others chose, set apart from the text around it, whichever way it is written. */
export function foreignName(name, unknown = "unknown") {
  if (name === null) {
    return element("em", { class: "unknown" }, unknown);
  }
  return element("bdi", { class: "name", dir: "auto", title: name }, name);
}

/** An input under its label. */
export function field(label, input) {
  input.id = label.toLowerCase().replaceAll(" ", "-");
  return element("div", { class: "field" }, element("label", { for: input.id }, label), input);
}

/** A select of `choices`, which are pairs of value and text. */
export function select(choices, chosen, onChange) {
  const input = element("select", { onchange: () => onChange(input.value) });
  setChoices(input, choices, chosen);
  return input;
}

/** Offers these choices in a select. */
export function setChoices(input, choices, chosen) {
  const options = choices.map(([value, text]) => element("option", { value }, text));
  input.replaceChildren(...options);
  input.value = chosen;
}

/** A part of the page that says why it is not there, and tries again. */
export function failure(error, retry) {
  const again = element("button", { type: "button", class: "quiet", onclick: retry }, "Try again");
  return element("div", { class: "failure", role: "alert" }, element("p", {}, error.message), again);
}

/** Gives a text to the browser as a file. */
export function download(name, type, text) {
  const address = URL.createObjectURL(new Blob([text], { type }));
  element("a", { href: address, download: name }).click();
  // The browser reads it after this click.
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}
