// What the node has said, and what it says of changes. Pure: no document.

/** Names come from a file: an object without a prototype has none of its own. */
export function bare(value) {
  if (Array.isArray(value)) return value.map(bare);
  if (value === null || typeof value !== "object") return value;
  const made = Object.create(null);
  for (const key of Object.keys(value)) made[key] = bare(value[key]);
  return made;
}

function isMapping(value) {
  return value !== null && typeof value === "object" && !Array.isArray(value);
}

/** Lay changes over a state. null instead of a mapping takes it away. */
export function lay(state, changes) {
  for (const key of Object.keys(changes)) {
    const value = changes[key], known = state[key];
    if (value === null && isMapping(known)) delete state[key];
    else if (isMapping(value) && isMapping(known)) lay(known, value);
    else state[key] = bare(value);
  }
  return state;
}

/** The clocks of the node: its seconds to times of day. */
export class Clock {
  constructor({second, now, epoch}) {
    this.second = second;
    this.now = now;
    this.epoch = epoch;
  }

  /** The time of day, in seconds of the epoch, of a second of the node. */
  at(second) {
    return this.epoch - (this.now - second);
  }

  /** How long ago that was, in seconds. */
  since(second) {
    return second === null || second === undefined ? null : Math.max(0, this.now - second);
  }
}
