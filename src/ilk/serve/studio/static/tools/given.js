/** One condition as fields: a part of items and what it is to be, or a label, or a prompt. */
import { fill, h } from "../lib/dom.js";
import { form } from "../lib/form.js";
import { t } from "../lib/words.js";

const SIGNS = ["==", "!=", "<", "<=", ">", ">="];

/** `element` and `value()`: what the API takes: {given: [rule]}, {label}, {prompt}; null where nothing is said. */
export function condition(facts) {
  const parts = (facts.givens ?? []).filter((given) => !["prompt", "label"].includes(given.type)), sorts = [];
  if (facts.labels?.length) sorts.push({ value: "label", label: t("edit.given.label") });
  if (facts.givens?.some((given) => given.type === "prompt")) sorts.push({ value: "prompt", label: t("edit.given.prompt") });
  sorts.push(...parts.map((given) => ({ value: given, label: given.part })), { value: "rule", label: t("edit.given.rule") });
  const place = h("div", {}), held = { fields: null };
  const sort = form([{ name: "sort", label: t("edit.given"), type: "select", values: sorts }], { sort: sorts[0].value }, ({ sort: chosen }) => draw(chosen));
  const draw = (chosen) => { held.sort = chosen; held.fields = form(fieldsOf(chosen, facts)); fill(place, held.fields.element); };
  draw(sorts[0].value);
  return { element: h("div", { class: "fields two" }, sort.element, place), value: () => said(held.sort, held.fields.values()) };
}

function fieldsOf(sort, facts) {
  if (sort === "label") return [{ name: "value", label: t("edit.given.value"), type: "select", values: facts.labels }];
  if (sort === "prompt") return [{ name: "value", label: t("edit.given.value"), type: "text" }];
  if (sort === "rule") return [{ name: "value", label: t("edit.given.value"), type: "text", placeholder: "age > 40 and city == 'Lyon'" }];
  if (sort.type === "number") return [{ name: "sign", label: t("edit.given.sign"), type: "select", values: SIGNS.filter((s) => !s.includes("==") || s === "=="), default: ">" }, { name: "value", label: t("edit.given.value"), type: "number", low: sort.low, high: sort.high }];
  return [{ name: "value", label: t("edit.given.value"), type: sort.values?.length ? "select" : "text", values: sort.values }];
}

function said(sort, { value, sign = "==" }) {
  if (value === undefined) return null;
  if (sort === "label") return { label: value };
  if (sort === "prompt") return { prompt: value };
  return { given: [sort === "rule" ? value : `${name(sort.part)} ${sign} ${constant(value)}`] };
}

/** As the language of rules writes names and constants. */
const name = (part) => (/^[A-Za-z_]\w*$/.test(part) ? part : `\`${part.replaceAll("`", "``")}\``);
const constant = (value) => (typeof value === "string" ? `'${value.replaceAll("'", "''")}'` : value === true ? "True" : value === false ? "False" : String(value));
