/** Asking for items and showing them as they come about. */
import { events } from "../lib/api.js";
import { button, fill, h } from "../lib/dom.js";
import { lines } from "../lib/lines.js";
import { progress } from "../lib/progress.js";
import { problem } from "../lib/toast.js";
import { t } from "../lib/words.js";
import { view } from "../viewers/index.js";

/**
 * A place for results: `element`; `run(path, body, show, gather)` asks for items, shows them at every step ({step, of, items}), then what `show(answer)` gives;
 * `gather`: a step has only items that are new.
 * `follow(work)` does the same for any work: `work(signal, told)` shows items by `told(items)` and gives an element. `stop()` ends what is at work.
 */
export function runner(signal, { keepSteps = () => {} } = {}) {
  const shown = h("div", { class: "stack" }), same = lines(), element = h("div", { class: "stack", "aria-busy": "false" }, shown, same.element);
  let leaving = null;
  const stop = () => leaving?.abort();
  signal.addEventListener("abort", stop);
  async function follow(work) {
    stop();
    const mine = (leaving = new AbortController()), bar = progress(t("edit.working")), preview = h("div", { class: "preview" });
    fill(shown, h("div", { class: "row" }, h("div", { class: "grow" }, bar.element), button(t("edit.stop"), stop, { kind: "plain small", icon: "stop" })), preview);
    bar.set(null, t("edit.working"));
    element.setAttribute("aria-busy", "true");
    try {
      const found = await work(mine.signal, (items) => fill(preview, items?.length ? view(items) : null), bar.set);
      if (mine === leaving) fill(shown, found);
    } catch (why) {
      if (mine === leaving) fill(shown, why.name === "AbortError" ? h("p", { class: "soft" }, t("edit.stopped")) : problem(why, () => follow(work)));
    } finally {
      if (mine === leaving) element.setAttribute("aria-busy", "false");
    }
  }
  const run = (path, body, show, gather = false) => follow(async (inner, told, far) => {
    let answer = { items: [] };
    const all = [];
    for await (const { data } of events(path, { body: { ...body, stream: true }, signal: inner })) {
      if (data.step === undefined) { answer = data; continue; }
      keepSteps(data);
      far(data.step / data.of, `${data.step} / ${data.of}`);
      if (gather && data.step < data.of) all.push(...data.items);
      told(gather && data.step < data.of ? all : data.items);
    }
    same.set(answer.line ?? null);
    return show(answer) ?? view(answer.items);
  });
  return { element, run, follow, stop, clear: () => { stop(); leaving = null; fill(shown); same.set(null); } };
}
