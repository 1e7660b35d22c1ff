// The pair as two nodes side by side, with the VIPs at the one that has them.

import {el, find, Rows, setAttribute, setText} from "./dom.js";
import {some, span, time} from "./format.js";
import {Strip} from "./strip.js";
import {holders} from "./words.js";

export class Pair {
  /** `handOver`, `takeOver` and `maintain` are called when somebody wants that. */
  constructor({handOver, takeOver, maintain}) {
    this.here = new Node();
    this.there = new Node();
    this.link = el("p", {class: "link"}, el("span"));
    this.strip = new Strip();
    this.linkStrip = el("p", {class: "link-strip"}, el("small", {}, "link, last hour"), this.strip.node);
    this.there.foot.before(this.linkStrip);
    this.move = button(handOver);
    this.take = button(takeOver);
    this.maintain = button(maintain);
    this.here.foot.append(el("span", {class: "acts"}, this.move, this.take, this.maintain));
    find("nodes").replaceChildren(this.here.node, this.link, this.there.node);
  }

  /** `may`: what of handover, takeover and maintenance can be done by who looks. */
  show(state, clock, may) {
    const {node, peer, routers} = state, {here, there} = holders(state);
    const names = Object.keys(routers);
    const role = node.maintenance ? "In maintenance" : !names.length ? "Serves" : here.length ? "Active"
      : names.some((name) => routers[name].state === "Backup") ? "Backup" : "Initialize";
    this.here.show({
      name: node.name, mark: "this node", role, strong: here.length > 0 || !names.length, bad: !node.ready,
      vips: here.flatMap((name) => routers[name].vips), missing: names.length > 0,
      words: [node.maintenance ? `by ${node.maintenance}` : node.ready ? "fit to serve" : "not fit to serve", `up ${span(clock.since(node.started))}`],
    });
    this.here.showRouters(routers, clock);
    for (const part of [this.link, this.there.node]) setAttribute(part, "hidden", peer === null || peer === undefined);
    setAttribute(find("nodes"), "class", peer ? "pair" : "pair single");
    if (peer) this.showPeer(peer, routers, there, names, clock);
    this.showActions(state, may, here.length > 0, names.length > here.length);
  }

  showActions({node, peer}, may, hasSome, lacksSome) {
    offer(this.move, may.includes("handover") && peer && hasSome, `Hand over to ${peer?.name}…`, peer?.up ? null : `${peer?.name} is not there to take over`);
    offer(this.take, may.includes("takeover") && peer && lacksSome && !node.maintenance, "Take over…", peer?.current ? null : `${peer?.name} is not heard, and cannot be asked`);
    offer(this.maintain, may.includes("maintenance"), node.maintenance ? "End maintenance…" : "Maintenance…", null);
  }

  showPeer(peer, routers, there, names, clock) {
    const has = there.length > 0, {told, current} = peer, unknown = !peer.up && !current && !has;
    const role = has ? "Active" : unknown ? "Not heard" : names.length ? "Backup" : "Serves";
    const idle = told?.maintenance ? `in maintenance, by ${told.maintenance}` : told?.ready ? "fit to serve" : "not fit to serve";
    const words = unknown ? [`nothing heard for ${span(clock.since(peer.since))}`, "dead, or cut off"]
      : current ? [idle, `up ${span(clock.since(told.started))}`]
        : [`link ${peer.up ? "up" : "down"} for ${span(clock.since(peer.since))}`];
    if (current) words.push(`${told.up} of ${some(told.servers, "server")} UP`);
    this.there.show({
      name: peer.name, mark: peer.address, role, strong: has, bad: unknown || (current && !told.ready),
      vips: there.flatMap((name) => routers[name].vips), missing: names.length > 0, words,
    });
    this.there.routerRows.show(told ? Object.entries(told.routers).map(([name, router]) => [name, {router: {...TOLD, ...router}, clock}]) : []);
    const foot = told && !current ? `As it was ${span(clock.since(peer.heard))} ago.` : peer.drift ? "It runs with another file." : "";
    setText(this.there.foot, foot);
    this.strip.show(peer.history, clock);
    setAttribute(this.link, "class", peer.up ? "link" : "link cut");
    const trip = peer.up ? (peer.round_trip_ms === null ? "link" : `${peer.round_trip_ms} ms`) : "no link";
    setText(this.link.firstChild, trip);
    setAttribute(this.link, "title", peer.up ? `liveness link, up since ${time(clock.at(peer.since), clock.epoch)}` : peer.why);
  }
}

function button(act) {
  const made = el("button", {type: "button", class: "act"});
  made.addEventListener("click", act);
  return made;
}

/** A button where there is something to do; one that cannot be done now says why. */
function offer(node, there, text, obstacle) {
  setAttribute(node, "hidden", !there);
  if (!there) return;
  setText(node, text);
  setAttribute(node, "disabled", obstacle !== null);
  setAttribute(node, "title", obstacle);
}

class Node {
  constructor() {
    this.vips = el("ul", {class: "vips", "aria-label": "VIPs here"});
    this.rows = new Rows(this.vips, () => {
      const node = el("li");
      return {node, update: (text) => setText(node, text)};
    });
    this.title = el("h3", {}, el("span"), " ", el("small"));
    this.role = el("p", {class: "role"});
    this.words = el("p", {class: "quiet"});
    this.routers = el("ul", {class: "routers"});
    this.routerRows = new Rows(this.routers, (name) => new Router(name));
    this.foot = el("p", {class: "foot"});
    this.node = el("article", {}, this.vips, this.title, this.role, this.words, this.routers, this.foot);
  }

  show({name, mark, role, strong, bad, vips, missing, words}) {
    setAttribute(this.node, "class", `node${strong ? " active" : ""}${bad ? " bad" : ""}`);
    setText(this.title.firstChild, name);
    setText(this.title.lastChild, mark);
    setText(this.role, role);
    setText(this.words, words.join(" · "));
    this.rows.show(vips.length ? vips.map((vip) => [vip, vip.replace(/\/\d+$/, "")]) : missing ? [["", "no VIP"]] : []);
    setAttribute(this.vips, "class", vips.length ? "vips held" : "vips");
  }

  showRouters(routers, clock) {
    this.routerRows.show(Object.entries(routers).map(([name, router]) => [name, {router, clock}]));
  }
}

/** What a peer does not tell of its virtual routers, or is shown elsewhere. */
const TOLD = {waits_for: null, tracked: [], vips: [], held: 0, vrid: null, history: null};

class Router {
  constructor(name) {
    this.title = el("b", {}, name);
    this.state = el("span");
    this.reason = el("span", {class: "quiet"});
    this.strip = new Strip();
    this.node = el("li", {}, el("span", {class: "line"}, this.title, " ", this.state), this.strip.node, this.reason);
  }

  update({router, clock}) {
    const {state, since, priority, configured_priority: configured, vrid, held, vips} = router;
    const lowered = priority < configured ? ` (lowered from ${configured})` : "";
    const lacking = state === "Active" && held < vips.length ? `, holds ${held} of ${vips.length} VIPs` : "";
    const when = since === null ? "" : ` since ${time(clock.at(since), clock.epoch)}`;
    setText(this.state, `${vrid === null ? "" : `VRID ${vrid}: `}${state}${when}, priority ${priority}${lowered}${lacking}`);
    const bad = router.tracked.filter(({ok}) => !ok).map(({name, reason}) => `${name}: ${reason}`);
    setText(this.reason, [router.reason, ...bad].filter(Boolean).join("; "));
    setAttribute(this.strip.node, "hidden", router.history === null);
    if (router.history !== null) this.strip.show(router.history, clock);
  }
}
