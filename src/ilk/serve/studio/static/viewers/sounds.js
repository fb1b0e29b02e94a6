/** Waveforms, heard through a WAV file that is made here from the samples; the person says how many of them make a second. */
import { h, svg } from "../lib/dom.js";
import { number, t } from "../lib/words.js";
import { framed } from "./choose.js";
import { extremes } from "./lines.js";

const RATE = 16000;

export function sounds(items, info, at) {
  const places = items.map((item) => h("div", { class: "view-player" }));
  let urls = [];
  const play = (rate) => {
    urls.forEach((url) => URL.revokeObjectURL(url));
    urls = items.map((item) => URL.createObjectURL(wav(channels(item), rate)));
    places.forEach((place, i) => place.replaceChildren(h("audio", { controls: true, preload: "metadata", src: urls[i], "aria-label": t("viewers.sound", { item: i + 1 }) }),
      h("span", { class: "soft" }, `${number(channels(items[i])[0].length / rate, 3)} s`)));
  };
  play(info.rate ?? RATE);
  const said = h("input", { type: "number", min: 1000, max: 192000, step: 1, value: info.rate ?? RATE, on: { change: (e) => e.target.validity.valid && play(Number(e.target.value)) } });
  return h("div", {}, h("label", { class: "view-as" }, h("span", {}, t("viewers.rate")), said),
    h("div", { class: "view-list" }, items.map((item, i) => framed(i, item, at, wave(item, i), places[i]))));
}

/** The samples of each channel: of (length), (length, channels) with at most 2 of them, or (1, length). */
export function channels({ shape, values }) {
  const k = shape.length === 2 && shape[0] !== 1 ? Math.min(2, shape[1]) : 1, step = shape.length === 2 && shape[0] !== 1 ? shape[1] : 1;
  return Array.from({ length: k }, (_, c) => Array.from({ length: Math.floor(values.length / step) }, (_, i) => values[i * step + c]));
}

/** A WAV file of 16-bit numbers; louder than 1 is made softer, all channels alike. */
export function wav(series, rate) {
  const loud = Math.max(1, ...series.map((s) => s.reduce((most, v) => Math.max(most, Number.isFinite(v) ? Math.abs(v) : 0), 0)));
  const k = series.length, n = series[0].length, bytes = new DataView(new ArrayBuffer(44 + 2 * k * n));
  const letters = (at, text) => [...text].forEach((c, i) => bytes.setUint8(at + i, c.charCodeAt(0)));
  letters(0, "RIFF"); bytes.setUint32(4, 36 + 2 * k * n, true); letters(8, "WAVEfmt "); bytes.setUint32(16, 16, true);
  bytes.setUint16(20, 1, true); bytes.setUint16(22, k, true); bytes.setUint32(24, rate, true); bytes.setUint32(28, rate * k * 2, true);
  bytes.setUint16(32, 2 * k, true); bytes.setUint16(34, 16, true); letters(36, "data"); bytes.setUint32(40, 2 * k * n, true);
  for (let i = 0; i < n; i++) for (let c = 0; c < k; c++) bytes.setInt16(44 + 2 * (i * k + c), Math.round((32767 * (series[c][i] || 0)) / loud), true);
  return new Blob([bytes], { type: "audio/wav" });
}

function wave(item, i) {
  const series = channels(item)[0], loud = series.reduce((most, v) => Math.max(most, Math.abs(v) || 0), 1e-9);
  const points = extremes(series, 900).map(([k, v]) => `${((600 * k) / series.length).toFixed(1)},${(40 - (36 * v) / loud).toFixed(1)}`).join(" ");
  return svg("svg", { viewBox: "0 0 600 80", preserveAspectRatio: "none", class: "view-wave", role: "img", "aria-label": t("viewers.wave", { item: i + 1 }) },
    svg("line", { x1: 0, x2: 600, y1: 40, y2: 40, class: "zero" }), svg("polyline", { class: "curve c0", points }));
}
