import { fill } from "../lib/dom.js";

export async function show(root) {
  fill(root);
}
