// How something stood in the last hour, as a strip: heights and colours, and the same in words.

import {el, setAttribute, svg} from "./dom.js";
import {span, some, time} from "./format.js";

const SPAN = 3600, HEIGHT = 16;
/** Standing to [top, height]: it can be told without colours. */
const SHAPES = {
  up: [12, 4], failing: [8, 8], down: [0, 16], returning: [0, 16], drain: [5, 4], maint: [5, 8],
  Active: [2, 14], Backup: [12, 4], Initialize: [5, 4],
};

export class Strip {
  constructor() {
    this.drawing = svg("svg", {viewBox: `0 0 ${SPAN} ${HEIGHT}`, preserveAspectRatio: "none", "aria-hidden": "true"});
    this.words = el("span", {class: "hidden"});
    this.node = el("span", {class: "strip"}, this.drawing, this.words);
    this.drawnAt = -Infinity;
  }

  /** `changes`: [second, standing], the oldest first. */
  show(changes, clock) {
    if (changes === this.changes && clock.now - this.drawnAt < 15) return;
    this.changes = changes;
    this.drawnAt = clock.now;
    const begin = clock.now - SPAN, paths = new Map();
    changes.forEach(([from, standing], number) => {
      const until = number + 1 < changes.length ? changes[number + 1][0] : clock.now;
      const left = Math.max(0, from - begin), width = Math.max(14, until - begin - left);
      if (until < begin) return;
      const [top, height] = SHAPES[standing] ?? [5, 4];
      paths.set(standing, `${paths.get(standing) ?? ""}M${left.toFixed(0)} ${top}h${width.toFixed(0)}v${height}h-${width.toFixed(0)}z`);
    });
    this.drawing.replaceChildren(...[...paths].map(([standing, d]) => svg("path", {class: `s-${standing}`, d})));
    const words = inWords(changes, clock);
    if (this.words.textContent !== words) this.words.textContent = words;
    setAttribute(this.node, "title", words);
  }
}

/** "up all the hour", "4 changes: DOWN at 14:02, UP at 14:05, ..." */
export function inWords(changes, clock) {
  if (!changes.length) return "nothing is known yet";
  if (changes.length === 1) {
    const known = clock.since(changes[0][0]);
    return `${changes[0][1]} for the last ${known >= SPAN - 1 ? "hour" : span(known)}`;
  }
  const last = changes.slice(1).slice(-4).map(([second, standing]) => `${standing} at ${time(clock.at(second), clock.epoch)}`);
  return `${some(changes.length - 1, "change")}: ${last.join(", ")}`;
}
