/** The pages, in the order of the menu. A page is a module here, named as its id, with `title` (a key of words) and `show(root, context)`. */

export const PAGES = [
  { id: "data", group: "make" }, { id: "fit", group: "make" }, { id: "create", group: "make" }, { id: "edit", group: "make" },
  { id: "chat", group: "ask" }, { id: "judge", group: "ask" },
  { id: "models", group: "keep" }, { id: "jobs", group: "keep" },
];

/** The module of a page. */
export const load = (id) => import(`./${id}.js`);
