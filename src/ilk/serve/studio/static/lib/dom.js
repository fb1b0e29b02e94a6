/** Making elements. Text only ever goes in as text. */

const SVG = "http://www.w3.org/2000/svg";
let made = 0;

/** An id that no other element of the page has. */
export const newId = (stem = "e") => `${stem}-${++made}`;

/**
 * An element. Properties: `on` = {event: handler}, `data` = {name: value}, anything else is an attribute (true: without a value; false, null: left out).
 * Children: elements, text, lists of them; null and false are left out.
 */
export function h(tag, properties = {}, ...children) {
  return filled(document.createElement(tag), properties, children);
}

/** The same for parts of a drawing. */
export function svg(tag, properties = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), properties, children);
}

function filled(element, properties, children) {
  const { on = {}, data = {}, ...attributes } = properties;
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "value" && "value" in element && element.tagName !== "OPTION") element.value = value;
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  for (const [name, value] of Object.entries(data)) element.dataset[name] = value;
  for (const [name, handler] of Object.entries(on)) element.addEventListener(name, handler);
  element.append(...flat(children));
  return element;
}

const flat = (children) => children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false && child !== "");

/** Puts these into an element in place of what was in it. */
export function fill(element, ...children) {
  element.replaceChildren(...flat(children));
  return element;
}

/** A button. `kind`: primary, plain, quiet or danger. */
export function button(label, act, { kind = "plain", icon: name, title, ...rest } = {}) {
  return h("button", { type: "button", class: `button ${kind}`, title, on: { click: act }, ...rest }, name && icon(name), label && h("span", {}, label));
}

const ICONS = {
  data: "M4 6c0-1.7 3.6-3 8-3s8 1.3 8 3-3.6 3-8 3-8-1.3-8-3zm0 0v12c0 1.7 3.6 3 8 3s8-1.3 8-3V6M4 12c0 1.7 3.6 3 8 3s8-1.3 8-3",
  fit: "M3 20h18M4 16c3 0 3-9 6-9s3 6 5 6 2-9 6-9",
  create: "M12 3l1.9 5.1L19 10l-5.1 1.9L12 17l-1.9-5.1L5 10l5.1-1.9zM19 16l.8 2.2L22 19l-2.2.8L19 22l-.8-2.2L16 19l2.2-.8z",
  edit: "M14.5 5.5l4 4L8 20H4v-4zM12.5 7.5l4 4",
  chat: "M4 5h16v11H10l-5 4v-4H4z",
  judge: "M12 3v18M7 21h10M12 6H5m7 0h7M5 6l-3 7a3 3 0 006 0zM19 6l-3 7a3 3 0 006 0z",
  models: "M12 3l9 5-9 5-9-5zM3 12.5l9 5 9-5M3 17l9 5 9-5",
  jobs: "M4 5h16M4 12h16M4 19h10",
  sun: "M12 8a4 4 0 100 8 4 4 0 000-8zM12 2v3M12 19v3M2 12h3M19 12h3M5 5l2 2M17 17l2 2M5 19l2-2M17 7l2-2",
  moon: "M20 14.5A8.5 8.5 0 019.5 4 8.5 8.5 0 1020 14.5z",
  copy: "M9 9h11v11H9zM5 15H4V4h11v1",
  done: "M5 12.5l4.5 4.5L19 7.5",
  close: "M6 6l12 12M18 6L6 18",
  pin: "M9 3h6l-1 6 3 3v2H7v-2l3-3zM12 14v7",
  download: "M12 4v11m-5-5l5 5 5-5M4 20h16",
  remove: "M4 7h16M9 7V4h6v3M6 7l1 13h10l1-13M10 11v5M14 11v5",
  play: "M7 4l13 8-13 8z", pause: "M8 5v14M16 5v14", stop: "M6 6h12v12H6z",
  dice: "M4 4h16v16H4zM8.5 8.5h.01M15.5 8.5h.01M12 12h.01M8.5 15.5h.01M15.5 15.5h.01",
  up: "M12 20V6m-6 6l6-6 6 6M4 3h16",
  more: "M6 9l6 6 6-6",
  add: "M12 5v14M5 12h14",
  info: "M12 3a9 9 0 100 18 9 9 0 000-18zM12 11v5M12 8h.01",
  warn: "M12 4l9 16H3zM12 10v4M12 17h.01",
};

/** A small drawing that says nothing to a screen reader. */
export function icon(name) {
  return svg("svg", { class: "icon", viewBox: "0 0 24 24", "aria-hidden": "true", focusable: "false" }, svg("path", { d: ICONS[name] ?? ICONS.info }));
}
