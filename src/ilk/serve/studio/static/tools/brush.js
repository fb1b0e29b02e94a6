/** A mask over a picture: with a brush by pointer or touch, by arrow keys, or as a box by numbers. What is marked is made anew. */
import { button, fill, h, svg } from "../lib/dom.js";
import { form } from "../lib/form.js";
import { say } from "../lib/toast.js";
import { t } from "../lib/words.js";
import { base64 } from "./picture.js";

const SHOWN = 480; // pixels on the screen that the picture is drawn with, about

/** `element`; `mask()`: a PNG in base64, white where it is marked, null where nothing is. `image` is a decoded picture. */
export function brush(image, change = () => {}) {
  const [wide, high] = [image.naturalWidth, image.naturalHeight];
  const state = { marked: new Uint8Array(wide * high), size: Math.max(1, Math.round(Math.max(wide, high) / 8)), erase: false, at: [Math.floor(wide / 2), Math.floor(high / 2)], keys: false };
  const zoom = Math.max(1, Math.round(SHOWN / Math.max(wide, high)));
  const canvas = h("canvas", { width: wide * zoom, height: high * zoom, class: "brush", tabindex: 0, role: "application", "aria-label": t("edit.brush.label"), "aria-describedby": "brush-help" });
  const draw = () => paint(canvas, image, state, zoom);
  const done = () => { draw(); told.textContent = share(state); change(); };
  const told = h("p", { class: "soft small", "aria-live": "polite" }, share(state));
  follow(canvas, state, zoom, draw, done);
  steer(canvas, state, wide, high, draw, done);
  const tools = h("div", { class: "row" }, modes(state, canvas), sizes(state, wide, high),
    button(t("edit.invert"), () => { state.marked = state.marked.map((m) => 1 - m); done(); }, { kind: "plain small" }), button(t("edit.clear"), () => { state.marked.fill(0); done(); }, { kind: "plain small" }));
  draw();
  const element = h("div", { class: "stack" }, tools, h("div", { class: "brush-stage" }, canvas), told, h("p", { class: "help", id: "brush-help" }, t("edit.brush.help")), box(state, wide, high, done));
  return { element, mask: () => (state.marked.some(Boolean) ? png(state.marked, wide, high) : null) };
}

const share = ({ marked }) => t("edit.marked", { percent: Math.round((100 * marked.reduce((a, b) => a + b, 0)) / marked.length) });

function modes(state, canvas) {
  const choose = (erase) => { state.erase = erase; draw(); canvas.focus({ preventScroll: true }); };
  const group = h("div", { class: "segments", role: "group", "aria-label": t("edit.tool") });
  const draw = () => fill(group, [[false, "edit.paint"], [true, "edit.erase"]].map(([erase, key]) => h("button", { type: "button", "aria-pressed": String(state.erase === erase), on: { click: () => choose(erase) } }, t(key))));
  draw();
  return group;
}

function sizes(state, wide, high) {
  const most = Math.max(2, Math.round(Math.max(wide, high) / 2));
  const slider = h("input", { type: "range", min: 1, max: most, value: state.size, "aria-label": t("edit.size"), on: { input: () => { state.size = Number(slider.value); sync(); } } });
  const sync = () => slider.style.setProperty("--at", `${(100 * (state.size - 1)) / (most - 1)}%`);
  sync();
  return h("label", { class: "brush-size" }, h("span", {}, t("edit.size")), slider);
}

/** Marks a disc as wide as the brush. */
function dab({ marked, size, erase }, wide, high, x, y) {
  const r = size / 2, value = erase ? 0 : 1;
  for (let row = Math.max(0, Math.floor(y - r)); row <= Math.min(high - 1, Math.ceil(y + r)); row++) for (let k = Math.max(0, Math.floor(x - r)); k <= Math.min(wide - 1, Math.ceil(x + r)); k++) {
    if ((k + 0.5 - x) ** 2 + (row + 0.5 - y) ** 2 <= Math.max(r * r, 0.51)) marked[row * wide + k] = value;
  }
}

function follow(canvas, state, zoom, draw, done) {
  const [wide, high] = [canvas.width / zoom, canvas.height / zoom];
  let last = null;
  const place = (e) => { const b = canvas.getBoundingClientRect(); return [((e.clientX - b.left) / b.width) * wide, ((e.clientY - b.top) / b.height) * high]; };
  const along = (to) => {
    const from = last ?? to, steps = Math.max(1, Math.ceil(Math.hypot(to[0] - from[0], to[1] - from[1]) / Math.max(0.5, state.size / 4)));
    for (let i = 1; i <= steps; i++) dab(state, wide, high, from[0] + ((to[0] - from[0]) * i) / steps, from[1] + ((to[1] - from[1]) * i) / steps);
    last = to;
    draw();
  };
  canvas.addEventListener("pointerdown", (e) => { if (e.button) return; canvas.setPointerCapture(e.pointerId); state.keys = false; last = null; along(place(e)); });
  canvas.addEventListener("pointermove", (e) => { if (canvas.hasPointerCapture(e.pointerId)) along(place(e)); });
  for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => { last = null; done(); });
}

function steer(canvas, state, wide, high, draw, done) {
  const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  canvas.addEventListener("blur", () => { state.keys = false; draw(); });
  canvas.addEventListener("keydown", (e) => {
    const step = STEPS[e.key], far = e.shiftKey ? 1 : Math.max(1, Math.round(state.size / 2));
    if (!step && e.key !== " " && e.key !== "Enter") return;
    e.preventDefault();
    state.keys = true;
    if (step) state.at = [Math.max(0, Math.min(wide - 1, state.at[0] + far * step[0])), Math.max(0, Math.min(high - 1, state.at[1] + far * step[1]))];
    else dab(state, wide, high, state.at[0] + 0.5, state.at[1] + 0.5);
    if (step) { draw(); say(t("edit.at", { row: state.at[1], column: state.at[0] })); } else done();
  });
}

function paint(canvas, image, state, zoom) {
  const pen = canvas.getContext("2d"), wide = image.naturalWidth;
  pen.imageSmoothingEnabled = false;
  pen.drawImage(image, 0, 0, canvas.width, canvas.height);
  pen.fillStyle = "rgb(235 95 20 / .62)";
  state.marked.forEach((m, i) => { if (m) pen.fillRect((i % wide) * zoom, Math.floor(i / wide) * zoom, zoom, zoom); });
  if (!state.keys) return;
  pen.strokeStyle = "#fff";
  pen.lineWidth = 2;
  pen.beginPath();
  pen.arc((state.at[0] + 0.5) * zoom, (state.at[1] + 0.5) * zoom, Math.max(3, (state.size * zoom) / 2), 0, 7);
  pen.stroke();
}

function png(marked, wide, high) {
  const canvas = h("canvas", { width: wide, height: high }), pen = canvas.getContext("2d"), image = pen.createImageData(wide, high);
  marked.forEach((m, i) => image.data.set([255 * m, 255 * m, 255 * m, 255], 4 * i));
  pen.putImageData(image, 0, 0);
  return base64(canvas);
}

function box(state, wide, high, done) {
  const side = (name, most, start) => ({ name, label: t(`edit.box.${name}`), type: "number", step: 1, min: 0, most, default: start });
  const fields = form([side("top", high, Math.floor(high / 4)), side("left", wide, Math.floor(wide / 4)), side("bottom", high, Math.floor((3 * high) / 4)), side("right", wide, Math.floor((3 * wide) / 4))]);
  fields.element.classList.add("four");
  const add = () => {
    const { top = 0, left = 0, bottom = high, right = wide } = fields.values();
    for (let row = Math.max(0, top); row < Math.min(high, bottom); row++) for (let k = Math.max(0, left); k < Math.min(wide, right); k++) state.marked[row * wide + k] = state.erase ? 0 : 1;
    done();
  };
  return h("details", {}, h("summary", {}, t("edit.box")), fields.element, h("div", { class: "row end" }, button(t("edit.box.add"), add, { kind: "plain small" })));
}
