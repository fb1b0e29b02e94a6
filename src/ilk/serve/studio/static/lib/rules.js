/** What is given to a model: fields made from its givens, and the rules that filled fields mean. */

import { t } from "./words.js";

const quoted = (part) => `\`${part.replaceAll("`", "``")}\``;
const text = (value) => (typeof value === "string" ? `'${value.replaceAll("'", "''")}'` : String(value));

/** Fields for lib/form.js of the givens of a model, as GET /v1/models/{id} tells them. */
export function fieldsOf(givens) {
  return givens.map((g) => {
    if (g.type === "prompt") return { name: g.part, label: t("create.prompt"), type: "long", rows: 2, help: t("create.prompt.help") };
    if (g.type === "label") return { name: g.part, label: t("create.label"), type: "select", values: g.values ?? [], any: t("create.any") };
    if (g.type === "number") return { name: g.part, label: g.part, type: "range", low: g.low, high: g.high, step: g.step };
    const values = g.values ?? [];
    return values.length && values.length <= 12 ? { name: g.part, label: g.part, type: "many", values } : values.length ? { name: g.part, label: g.part, type: "select", values, any: t("create.any") } : { name: g.part, label: g.part, type: "text" };
  });
}

/** The part of a request that filled fields mean: {given: [rules], label?, prompt?}. */
export function asked(givens, values, more = "") {
  const found = { given: [] };
  for (const g of givens) {
    const value = values[g.part];
    if (value === undefined || value === null || value === "") continue;
    if (g.type === "prompt" || g.type === "label") found[g.type] = value;
    else found.given.push(...rules(quoted(g.part), value));
  }
  found.given.push(...more.split("\n").map((line) => line.trim()).filter(Boolean));
  return found;
}

function rules(part, value) {
  if (!Array.isArray(value)) return [`${part} == ${text(value)}`];
  if (value.length === 2 && value.every((v) => v === null || typeof v === "number") && !value.every((v) => v === null)) {
    if (value[0] === value[1]) return [`${part} == ${value[0]}`];
    return [value[0] !== null && `${part} >= ${value[0]}`, value[1] !== null && `${part} <= ${value[1]}`].filter(Boolean);
  }
  return value.length === 1 ? [`${part} == ${text(value[0])}`] : [`${part} in [${value.map(text).join(", ")}]`];
}
