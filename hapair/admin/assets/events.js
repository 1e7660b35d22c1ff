// What happened, the newest first.

import {el, find} from "./dom.js";
import {time} from "./format.js";

const MOST = 200;

export class Events {
  constructor() {
    this.list = find("event-list");
    this.last = 0;
    this.none = el("li", {class: "quiet"}, "Nothing has happened since the node started.");
    this.list.replaceChildren(this.none);
  }

  /** All that is known, the oldest first. */
  load(events, now) {
    this.list.replaceChildren(this.none);
    this.last = 0;
    this.add(events, now);
  }

  add(events, now) {
    for (const event of events) {
      if (event.id <= this.last && event.kind !== "missed") continue;
      this.last = Math.max(this.last, event.id);
      this.none.remove();
      this.list.prepend(item(event, now));
    }
    while (this.list.childElementCount > MOST) this.list.lastElementChild.remove();
  }
}

function item({at, kind, severity, words, reason, by}, now) {
  const date = new Date(at * 1000);
  const why = [reason, by && `by ${by}`].filter(Boolean).join(", ");
  return el("li", {class: severity},
    el("time", {datetime: date.toISOString(), title: date.toString()}, time(at, now, {seconds: true})),
    el("span", {class: "what"}, severity === "info" ? null : el("b", {}, `${severity}: `), words,
      el("small", {}, [kind, why].filter(Boolean).join(": "))));
}
