/** Enough of Markdown for model cards and answers: headings, lists, tables, code, emphasis. Everything goes in as text; of links the address is told, not followed. */

import { h } from "./dom.js";

const ITEM = /^\s*(?:[-*]|(\d{1,9})[.)])\s+(.*)/s;

/** Elements of a text. */
export function markdown(text) {
  const found = [], rows = text.replace(/^---\n[\s\S]*?\n---\n/, "").split("\n");
  while (rows.length) found.push(block(rows));
  return found.filter(Boolean);
}

function block(rows) {
  const line = rows.shift();
  const head = /^(#{1,4})\s+(.*)/.exec(line);
  if (head) return h(`h${Math.min(6, head[1].length + 2)}`, {}, inline(head[2]));
  if (line.startsWith("```")) return h("pre", { class: "code", tabindex: 0 }, h("code", {}, taken(rows, (r) => !r.startsWith("```"), true).join("\n")));
  if (ITEM.test(line)) return list([line, ...taken(rows, (r) => ITEM.test(r))].map((r) => ITEM.exec(r)));
  if (/^\s*\|/.test(line)) return table([line, ...taken(rows, (r) => /^\s*\|/.test(r))]);
  if (!line.trim()) return null;
  return h("p", { class: "kept" }, inline([line, ...taken(rows, (r) => r.trim() && !ITEM.test(r) && !/^(#{1,4}\s|```|\s*\|)/.test(r))].join("\n")));
}

const list = (items) => h(items[0][1] ? "ol" : "ul", { start: items[0][1] > 1 ? items[0][1] : null }, items.map((item) => h("li", {}, inline(item[2]))));

function taken(rows, fits, eat = false) {
  const found = [];
  while (rows.length && fits(rows[0])) found.push(rows.shift());
  if (eat) rows.shift();
  return found;
}

function table(lines) {
  const cells = lines.map((l) => l.trim().replace(/^\||\|$/g, "").split("|").map((c) => c.trim())), ruled = cells[1]?.every((c) => /^:?-+:?$/.test(c));
  const row = (tag) => (r) => h("tr", {}, r.map((c) => h(tag, tag === "th" ? { scope: "col" } : {}, inline(c))));
  return h("div", { class: "scroll" }, h("table", {}, ruled && h("thead", {}, row("th")(cells[0])), h("tbody", {}, cells.slice(ruled ? 2 : 0).map(row("td")))));
}

function inline(text) {
  return text.split(/(`[^`\n]+`|\*\*[^*\n]+\*\*|\*[^*\s][^*\n]*\*|!?\[[^\]\n]*\]\([^)\n]+\))/).map((part, i) => {
    if (i % 2 === 0) return part;
    if (part.startsWith("`")) return h("code", {}, part.slice(1, -1));
    if (part.startsWith("**")) return h("b", {}, part.slice(2, -2));
    if (part.startsWith("*")) return h("em", {}, part.slice(1, -1));
    const [, said, address] = /^!?\[([^\]]*)\]\(([^)]+)\)$/.exec(part);
    return said === address ? said : `${said} (${address})`;
  });
}
