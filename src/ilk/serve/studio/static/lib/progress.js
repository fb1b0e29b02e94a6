/** How far something is: a bar, words beside it, and a place that screen readers hear now and then. */

import { h } from "./dom.js";
import { say } from "./toast.js";

/** `element` and `set(fraction or null, words)`. Not known how far: null. */
export function progress(label) {
  const bar = h("progress", { max: 1, "aria-label": label });
  const words = h("span", { class: "soft tabular" });
  let spoken = -1;
  const set = (fraction, text = "") => {
    if (fraction === null || fraction === undefined) bar.removeAttribute("value");
    else bar.value = Math.min(1, Math.max(0, fraction));
    words.textContent = text;
    const tenth = Math.floor((fraction ?? 0) * 4);
    if (tenth !== spoken) say(`${label} ${Math.round((fraction ?? 0) * 100)}% ${text}`);
    spoken = tenth;
  };
  return { element: h("div", { class: "progress" }, bar, words), set };
}
