/** Fields made from descriptions: {name, label, type, low, high, step, values, default, help, placeholder}. */

import { button, h, newId } from "./dom.js";
import { t } from "./words.js";

const bounded = (f) => Number.isFinite(f.low) && Number.isFinite(f.high) && f.low < f.high;
const shown = (v) => (v === null || v === undefined ? "" : String(v));

/**
 * A form's fields. Types: integer, number (with a slider where bounded), text, long, select, many, check, seed, range.
 * Back come `element`, `values()` (what was filled in: empty fields are left out), `set(values)`. `change` is called with the values when one has changed.
 */
export function form(fields, start = {}, change = () => {}) {
  const made = fields.map((f) => one(f, start[f.name] ?? f.default, () => change(values())));
  const values = () => Object.fromEntries(made.map((m, i) => [fields[i].name, m.value()]).filter(([, v]) => v !== null && v !== "" && v !== undefined));
  const set = (now) => made.forEach((m, i) => fields[i].name in now && m.set(now[fields[i].name]));
  return { element: h("div", { class: "fields" }, made.map((m) => m.element)), values, set };
}

function one(field, start, change) {
  const id = newId("field");
  const made = (MAKERS[field.type] ?? MAKERS.text)(field, id, change);
  made.set(start);
  if (field.type === "check") return { ...made, element: h("div", { class: "field check" }, made.control, label(field, id), help(field, id)) };
  return { ...made, element: h("div", { class: `field ${field.wide ? "wide" : ""}` }, made.group ? h("span", { class: "label", id: `${id}-label` }, field.label) : label(field, id), made.control, help(field, id)) };
}

const label = (field, id) => h("label", { for: id }, field.label);
const help = (field, id) => field.help && h("p", { class: "help", id: `${id}-help` }, field.help);
const common = (field, id) => ({ id, name: field.name, "aria-describedby": field.help ? `${id}-help` : null, placeholder: field.placeholder, required: field.required, autocomplete: "off" });

function numeric(field, id, change) {
  const whole = field.type === "integer" || field.type === "seed";
  const step = field.step ?? (whole ? 1 : "any");
  const input = h("input", { ...common(field, id), type: "number", step, min: field.low, max: field.high, inputmode: whole ? "numeric" : "decimal", on: { input: () => { sync(); change(); } } });
  const read = () => (input.value === "" ? null : Number(input.value));
  let sync = () => {};
  if (!bounded(field)) return { control: input, value: read, set: (v) => { input.value = shown(v); } };
  const fine = field.step ?? (whole ? 1 : (field.high - field.low) / 200);
  const slider = h("input", { type: "range", min: field.low, max: field.high, step: fine, "aria-label": field.label, on: { input: () => { input.value = String(Number(Number(slider.value).toPrecision(6))); sync(); change(); } } });
  sync = () => {
    slider.value = input.value === "" ? (field.low + field.high) / 2 : input.value;
    slider.style.setProperty("--at", `${(100 * (slider.value - field.low)) / (field.high - field.low)}%`);
    slider.classList.toggle("free", input.value === "");
  };
  return { control: h("div", { class: "slide" }, slider, input), value: read, set: (v) => { input.value = shown(v); sync(); } };
}

function seed(field, id, change) {
  const made = numeric({ ...field, low: 0, step: 1, high: undefined }, id, change);
  const roll = button("", () => { made.set(crypto.getRandomValues(new Uint32Array(1))[0] % 1000000); change(); }, { kind: "plain", icon: "dice", "aria-label": t("frame.dice"), title: t("frame.dice") });
  return { ...made, control: h("div", { class: "joined" }, made.control, roll) };
}

function range(field, id, change) {
  const ends = ["low", "high"].map((end) => h("input", { id: end === "low" ? id : null, type: "number", step: field.step ?? "any", inputmode: "decimal", placeholder: shown(field[end]), "aria-label": `${field.label}: ${t(`frame.${end}`)}`, on: { input: change } }));
  const value = () => (ends.every((e) => e.value === "") ? null : ends.map((e) => (e.value === "" ? null : Number(e.value))));
  return { control: h("div", { class: "ends", role: "group", "aria-labelledby": `${id}-label` }, ends[0], h("span", { "aria-hidden": "true" }, "–"), ends[1]), group: true, value, set: (v) => ends.forEach((e, i) => { e.value = shown(v?.[i]); }) };
}

function text(field, id, change) {
  const long = field.type === "long";
  const input = h(long ? "textarea" : "input", { ...common(field, id), ...(long ? { rows: field.rows ?? 3 } : { type: "text" }), on: { input: change } });
  return { control: input, value: () => input.value, set: (v) => { input.value = shown(v); } };
}

const options = (field) => field.values.map((v) => (typeof v === "object" ? v : { value: v, label: shown(v) }));

function select(field, id, change) {
  const all = options(field);
  const input = h("select", { ...common(field, id), on: { change } }, field.any !== undefined && h("option", { value: "" }, field.any),
    all.map((o, i) => h("option", { value: String(i), disabled: o.disabled }, o.label)));
  return { control: input, value: () => (input.value === "" ? null : all[Number(input.value)].value), set: (v) => { const i = all.findIndex((o) => o.value === v); input.value = i < 0 ? (field.any !== undefined ? "" : "0") : String(i); } };
}

function many(field, id, change) {
  const boxes = options(field).map((o) => ({ o, box: h("input", { type: "checkbox", disabled: o.disabled, on: { change } }) }));
  return { control: h("div", { class: "chips", role: "group", "aria-labelledby": `${id}-label` }, boxes.map(({ o, box }) => h("label", { class: "chip", title: o.help }, box, h("span", {}, o.label)))), group: true,
    value: () => { const on = boxes.filter((b) => b.box.checked).map((b) => b.o.value); return on.length ? on : null; },
    set: (v) => boxes.forEach((b) => { b.box.checked = Boolean(v?.includes(b.o.value)); }) };
}

function check(field, id, change) {
  const input = h("input", { ...common(field, id), type: "checkbox", on: { change } });
  return { control: input, value: () => input.checked, set: (v) => { input.checked = Boolean(v); } };
}

const MAKERS = { integer: numeric, number: numeric, seed, range, text, long: text, select, many, check };
