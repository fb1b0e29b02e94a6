/** Questions that stop everything else. Escape says no. */

import { button, h, newId } from "./dom.js";
import { t } from "./words.js";

/** Whether the person means it: a promise of true or false. */
export function confirm(title, text, yes, kind = "danger") {
  return new Promise((done) => {
    const id = newId("title");
    const box = h("dialog", { "aria-labelledby": id }, h("h2", { id }, title), h("p", {}, text),
      h("div", { class: "row end" }, button(t("frame.no"), () => box.close("no")), button(yes, () => box.close("yes"), { kind })));
    box.addEventListener("close", () => { box.remove(); done(box.returnValue === "yes"); });
    document.body.append(box);
    box.showModal();
  });
}

/** Shows something in a dialog; `close()` on what comes back ends it. */
export function sheet(title, ...children) {
  const id = newId("title");
  const box = h("dialog", { class: "sheet", "aria-labelledby": id },
    h("header", { class: "row spread" }, h("h2", { id }, title), button("", () => box.close(), { kind: "quiet", icon: "close", "aria-label": t("frame.close") })), ...children);
  box.addEventListener("close", () => box.remove());
  document.body.append(box);
  box.showModal();
  return box;
}
