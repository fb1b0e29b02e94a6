/** Conversations, kept in this browser. One is a tree of turns: an edited or repeated turn is a branch beside the old one. */

const KEY = "ilk.talks", MOST = 50;

/** A conversation without turns yet. */
export const fresh = (settings = {}) => ({ id: crypto.randomUUID(), began: Date.now() / 1000, title: "", settings, turns: [], at: null });

/** All that are kept, the last used first; what can't be read is as if it weren't there. */
export function kept() {
  try {
    const found = JSON.parse(localStorage.getItem(KEY));
    return Array.isArray(found) ? found.filter((talk) => talk && typeof talk.id === "string" && Array.isArray(talk.turns)) : [];
  } catch {
    return [];
  }
}

/** Keeps one, first among them. Where there is no room the oldest go. */
export function keep(talk) {
  let all = [talk, ...kept().filter((other) => other.id !== talk.id)].slice(0, MOST);
  while (all.length) {
    try {
      localStorage.setItem(KEY, JSON.stringify(all));
      return;
    } catch {
      all = all.slice(0, -1);
    }
  }
}

/** Forgets one. */
export const forget = (id) => localStorage.setItem(KEY, JSON.stringify(kept().filter((talk) => talk.id !== id)));

/** Adds a turn below `parent` (null: at the beginning) and goes there. */
export function add(talk, parent, turn) {
  const made = { ...turn, id: `t${talk.turns.length}`, parent };
  talk.turns.push(made);
  talk.at = made.id;
  if (!talk.title && turn.role === "user") talk.title = turn.content.slice(0, 60);
  return made;
}

/** The turns from the beginning to where the conversation is. */
export function path(talk) {
  const by = new Map(talk.turns.map((turn) => [turn.id, turn])), found = [];
  for (let turn = by.get(talk.at); turn; turn = by.get(turn.parent)) found.unshift(turn);
  return found;
}

/** A turn and those beside it, in the order they were made. */
export const beside = (talk, turn) => talk.turns.filter((other) => other.parent === turn.parent && other.role === turn.role);

/** Goes to another branch, to the end of what was said last there. */
export function enter(talk, id) {
  talk.at = id;
  for (let below; (below = talk.turns.findLast((turn) => turn.parent === talk.at)); ) talk.at = below.id;
}

/** As messages of a request. */
export function messages(talk, turns) {
  const told = turns.filter((turn) => turn.content || turn.role === "user").map(({ role, content }) => ({ role, content }));
  return talk.settings.system ? [{ role: "system", content: talk.settings.system }, ...told] : told;
}
