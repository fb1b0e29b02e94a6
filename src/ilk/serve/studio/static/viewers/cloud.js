/** Points of space on a canvas that turns: drag, or the arrow keys; + and - go nearer. */
import { h } from "../lib/dom.js";
import { t } from "../lib/words.js";
import { framed } from "./choose.js";

const SIDE = 320, TURN = 0.12;

export function cloud(items, info, at) {
  const triples = (values) => Array.from({ length: values.length / 3 }, (_, k) => values.slice(3 * k, 3 * k + 3));
  if (items[0].shape.length === 1) return turning(items.map((item) => item.values), items.length);
  return h("div", { class: "view-grid wide" }, items.map((item, i) => framed(i, item, at, turning(triples(item.values), item.shape[0]))));
}

/** Points moved to their middle and shrunk to a ball of radius 1. */
export function centred(points) {
  const kept = points.filter((p) => p.every(Number.isFinite));
  const middle = [0, 1, 2].map((c) => kept.reduce((sum, p) => sum + p[c], 0) / Math.max(1, kept.length));
  const far = Math.max(1e-12, ...kept.map((p) => Math.hypot(...p.map((v, c) => v - middle[c]))));
  return kept.map((p) => p.map((v, c) => (v - middle[c]) / far));
}

/** A point after turning by yaw about the upright axis, then by pitch about the one across. */
export function turned([x, y, z], yaw, pitch) {
  const [a, b] = [x * Math.cos(yaw) + z * Math.sin(yaw), z * Math.cos(yaw) - x * Math.sin(yaw)];
  return [a, y * Math.cos(pitch) - b * Math.sin(pitch), y * Math.sin(pitch) + b * Math.cos(pitch)];
}

function turning(points, n) {
  const ball = centred(points), at = { yaw: 0.6, pitch: 0.35, near: 1 };
  const canvas = h("canvas", { width: 2 * SIDE, height: 2 * SIDE, class: "view-cloud", tabindex: "0", role: "img", "aria-label": t("viewers.cloud", { n }) });
  const draw = () => paint(canvas, ball, at);
  const change = (yaw, pitch, near = 1) => {
    at.yaw += yaw;
    at.pitch = Math.max(-1.5, Math.min(1.5, at.pitch + pitch));
    at.near = Math.max(0.3, Math.min(8, at.near * near));
    draw();
  };
  const KEYS = { ArrowLeft: [-TURN, 0], ArrowRight: [TURN, 0], ArrowUp: [0, -TURN], ArrowDown: [0, TURN], "+": [0, 0, 1.2], "=": [0, 0, 1.2], "-": [0, 0, 1 / 1.2] };
  canvas.addEventListener("keydown", (e) => { if (KEYS[e.key]) { e.preventDefault(); e.stopPropagation(); change(...KEYS[e.key]); } });
  canvas.addEventListener("pointerdown", (e) => canvas.setPointerCapture(e.pointerId));
  canvas.addEventListener("pointermove", (e) => { if (canvas.hasPointerCapture(e.pointerId)) change(e.movementX / 90, e.movementY / 90); });
  requestAnimationFrame(draw);
  return h("div", { class: "view-turning" }, canvas, h("p", { class: "soft" }, t("viewers.turn")));
}

function paint(canvas, ball, { yaw, pitch, near }) {
  const pen = canvas.getContext("2d"), half = canvas.width / 2, size = Math.max(2, Math.min(7, 120 / Math.sqrt(ball.length)));
  pen.clearRect(0, 0, canvas.width, canvas.height);
  pen.fillStyle = getComputedStyle(canvas).color;
  for (const [x, y, z] of ball.map((p) => turned(p, yaw, pitch)).sort((p, q) => p[2] - q[2])) {
    const depth = 1 / (1.6 - 0.45 * z), far = near * half * 1.25 * depth;
    pen.globalAlpha = 0.3 + 0.35 * (z + 1);
    pen.beginPath();
    pen.arc(half + x * far, half - y * far, size * depth * 1.6, 0, 7);
    pen.fill();
  }
}
