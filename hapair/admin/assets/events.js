// What happened on both nodes, the newest first.

import {el, find} from "./dom.js";
import {time} from "./format.js";

const MOST = 200;

export class Events {
  constructor() {
    this.list = find("event-list");
    this.none = el("li", {class: "quiet"}, "Nothing has happened since the node started.");
    this.list.replaceChildren(this.none);
  }

  /** All that is known, the oldest first; `node` is the one whose page this is. */
  load(events, now, node) {
    this.list.replaceChildren(this.none);
    this.node = node;
    this.add(events, now);
  }

  /** What the other node tells may have happened before what is shown already. */
  add(events, now) {
    for (const event of events) {
      this.none.remove();
      let place = this.list.firstElementChild;
      while (place !== null && Number(place.dataset.at) > event.at) place = place.nextElementSibling;
      this.list.insertBefore(item(event, now, event.node === this.node ? null : event.node), place);
    }
    while (this.list.childElementCount > MOST) this.list.lastElementChild.remove();
  }
}

function item({at, kind, severity, words, reason, by}, now, elsewhere) {
  const date = new Date(at * 1000);
  const why = [reason, by && `by ${by}`].filter(Boolean).join(", ");
  return el("li", {class: severity, "data-at": at},
    el("time", {datetime: date.toISOString(), title: date.toString()}, time(at, now, {seconds: true})),
    el("span", {class: "what"}, severity === "info" ? null : el("b", {}, `${severity}: `), words,
      el("small", {}, [elsewhere && `on ${elsewhere}`, kind, why].filter(Boolean).join(": "))));
}
