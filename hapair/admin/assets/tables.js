// Frontends, and pools with their servers: rows that stay, cells that change where their text does.

import {el, find, Rows, setAttribute, setText} from "./dom.js";
import {both, bytesPerSecond, count, milliseconds, perSecond, short, some, span, time} from "./format.js";
import {Strip} from "./strip.js";

const FRONTEND_HEADS = ["Frontend", "Standing", "Open", "Connections", "Requests", "In", "Out", "p50 / p99", "Errors"];
const SERVER_HEADS = ["Server", "Standing", "Last hour", "Last check", "Open", "Rate", "Time", "Errors", "Weight", "Action"];
const NUMBERS = new Set(["Open", "Connections", "Requests", "In", "Out", "p50 / p99", "Errors", "Rate", "Time", "Weight"]);

function cells(heads) {
  return heads.map((head, place) => el(place ? "td" : "th", {
    role: place ? "cell" : "rowheader", scope: place ? null : "row", "data-head": head,
    class: NUMBERS.has(head) ? "number" : null,
  }));
}

export class Frontends {
  constructor() {
    this.rows = new Rows(find("frontend-rows"), (name) => new Frontend(name));
  }

  /** `fields`: what a sample has. */
  show(frontends, samples, fields) {
    const place = (name) => fields.indexOf(name);
    this.rows.show(Object.entries(frontends).map(([name, frontend]) => {
      const sample = samples[name] ?? [];
      return [name, {frontend, value: (field) => sample[place(field)]}];
    }));
    setAttribute(find("frontends"), "hidden", Object.keys(frontends).length === 0);
  }
}

class Frontend {
  constructor(name) {
    this.cells = cells(FRONTEND_HEADS);
    this.listen = el("small");
    this.cells[0].append(el("span", {class: "name"}, name), " ", this.listen);
    this.badge = el("span");
    this.cells[1].append(this.badge);
    this.node = el("tr", {role: "row"}, ...this.cells);
  }

  update({frontend, value}) {
    const plane = frontend.plane === "kernel" ? ", kernel plane" : "", http = frontend.mode === "http";
    setText(this.listen, `${frontend.mode}${plane} at ${frontend.listen.join(", ")}`);
    setAttribute(this.badge, "class", `badge ${frontend.active ? "up" : "aside"}`);
    setText(this.badge, frontend.active ? "serves here" : "its VIP is elsewhere");
    const latency = http ? both(value("p50_ms"), value("p99_ms")) : "–";
    const texts = [count(value("open")), perSecond(value("connections_per_s")), http ? perSecond(value("requests_per_s")) : "–",
      bytesPerSecond(value("bytes_in_per_s")), bytesPerSecond(value("bytes_out_per_s")), latency, perSecond(value("errors_per_s"))];
    texts.forEach((text, number) => setText(this.cells[number + 2], text));
    setAttribute(this.cells[8], "class", value("errors_per_s") ? "number bad" : "number");
    const causes = Object.entries(frontend.causes).map(([cause, times]) => `${cause.replaceAll("_", " ")}: ${times}`);
    setAttribute(this.cells[8], "title", causes.length ? `since the start: ${causes.join(", ")}` : null);
  }
}

export class Pools {
  /** `change(key)` is called when somebody wants to change a server. */
  constructor(change) {
    this.change = change;
    this.rows = new Rows(find("pool-list"), (name) => new Pool(name, change));
    this.filter = find("filter");
    this.trouble = find("trouble");
    this.filter.addEventListener("input", () => this.last && this.show(...this.last));
    this.trouble.addEventListener("change", () => this.last && this.show(...this.last));
  }

  show(state, clock, admin) {
    this.last = [state, clock, admin];
    const wanted = this.filter.value.trim().toLowerCase(), trouble = this.trouble.checked, pools = new Map();
    for (const name of Object.keys(state.pools)) pools.set(name, []);
    let hidden = 0, shown = 0;
    for (const [key, server] of Object.entries(state.servers)) {
      const fits = (!wanted || `${key} ${server.address}`.toLowerCase().includes(wanted)) && !(trouble && server.standing === "up");
      if (fits) shown += 1;
      else hidden += 1;
      if (fits) pools.get(server.pool)?.push([key, {server, clock, admin, peer: state.peer?.name}]);
    }
    const entries = [...pools].filter(([, servers]) => servers.length || !hidden);
    this.rows.show(entries.map(([name, servers]) => [name, {pool: state.pools[name], servers, admin}]));
    setAttribute(find("no-servers"), "hidden", shown > 0 || hidden === 0);
  }
}

class Pool {
  constructor(name, change) {
    const id = `pool-${name}`;
    this.badge = el("span");
    this.facts = el("span", {class: "quiet"});
    this.body = el("tbody", {role: "rowgroup"});
    this.heads = SERVER_HEADS.map((head) => el("th", {role: "columnheader", scope: "col", class: NUMBERS.has(head) ? "number" : null}, head));
    const table = el("table", {role: "table", class: "list servers", "aria-labelledby": id},
      el("thead", {role: "rowgroup"}, el("tr", {role: "row"}, ...this.heads)), this.body);
    this.node = el("section", {class: "pool", "aria-labelledby": id},
      el("h3", {}, el("span", {id}, name), " ", this.badge, " ", this.facts), el("div", {class: "scroll"}, table));
    this.rows = new Rows(this.body, (key) => new Server(key, change));
  }

  update({pool, servers, admin}) {
    setAttribute(this.badge, "class", `badge ${pool.up === pool.servers ? "up" : pool.up ? "failing" : "down"}`);
    setText(this.badge, `${pool.up} of ${pool.servers} UP`);
    const waiting = pool.waiting ? `, ${some(pool.waiting, "request")} ${pool.waiting === 1 ? "waits" : "wait"} for any server` : "";
    setText(this.facts, `${pool.policy.replaceAll("_", " ")}, ${pool.mode}${waiting}`);
    setAttribute(this.heads.at(-1), "hidden", !admin);
    setText(this.heads[5], pool.mode === "http" ? "Requests" : "Connections");
    setText(this.heads[6], pool.mode === "http" ? "Response" : "Connect");
    this.rows.show(servers);
  }
}

class Server {
  constructor(key, change) {
    this.cells = cells(SERVER_HEADS);
    this.address = el("small");
    this.badge = el("span");
    this.since = el("small");
    this.strip = new Strip();
    this.check = el("span", {class: "check"});
    this.button = el("button", {type: "button", class: "act", "aria-haspopup": "dialog"}, "Change…");
    this.button.addEventListener("click", () => change(key));
    this.name = el("span", {class: "name"});
    this.cells[0].append(this.name, " ", this.address);
    this.there = el("small", {class: "there"});
    this.cells[1].append(this.badge, " ", this.since, this.there);
    this.cells[2].append(this.strip.node);
    this.cells[3].append(this.check);
    this.cells[9].append(this.button);
    this.node = el("tr", {role: "row"}, ...this.cells);
  }

  update({server, clock, admin, peer}) {
    setText(this.name, server.name);
    setText(this.address, `${server.known_as ? `${server.known_as} is ` : ""}${server.address}${server.backup ? ", backup" : ""}`);
    setAttribute(this.badge, "class", `badge ${server.standing}`);
    setText(this.badge, server.status);
    setText(this.since, ` ${span(clock.since(server.since))}`);
    setAttribute(this.since, "title", `since ${time(clock.at(server.since), clock.epoch)}`);
    setText(this.there, server.at_peer ? `${peer} says ${server.at_peer}` : "");
    this.strip.show(server.history, clock);
    const why = server.standing === "down" || server.admin !== "ready" ? server.reason || server.check : server.check || server.reason;
    const said = [why, server.agent && `agent: ${server.agent}`].filter(Boolean).join("; ");
    setText(this.check, said || "no check");
    setAttribute(this.check, "title", said.length > 30 ? said : null);
    const open = server.most ? `${count(server.open)} of ${count(server.most)}` : count(server.open);
    setText(this.cells[4], server.waiting ? `${open}, ${count(server.waiting)} wait` : open);
    setText(this.cells[5], perSecond(server.rate));
    setText(this.cells[6], milliseconds(server.average_ms));
    setText(this.cells[7], count(server.errors));
    setAttribute(this.cells[7], "title", `${some(server.downs, "time")} DOWN, ${span(server.down_s)} in all`);
    setText(this.cells[8], server.weight === server.full_weight ? `${server.weight}` : `${server.weight} of ${server.full_weight}`);
    setAttribute(this.cells[9], "hidden", !admin);
    setAttribute(this.button, "aria-label", `Change ${server.pool}/${server.name}`);
  }
}

/** What there is to say of the node itself. */
export class Facts {
  constructor() {
    this.list = el("dl");
    find("node-facts").replaceChildren(this.list);
    this.rows = new Rows(this.list, (key) => {
      const value = el("dd"), node = el("div", {}, el("dt", {}, key), value);
      return {node, update: ({text, bad}) => { setText(value, text); setAttribute(value, "class", bad ? "bad" : null); }};
    });
  }

  show(state, clock) {
    const {node, processes, certificates} = state, facts = [];
    const fact = (key, text, bad = false) => facts.push([key, {text, bad}]);
    fact("Configuration", node.config);
    fact("Started", `${time(clock.at(node.started), clock.epoch)} (${span(clock.since(node.started))})`);
    for (const [name, {pid, state: how}] of Object.entries(processes)) {
      fact(name, `${how}${pid === null ? "" : `, pid ${pid}`}`, how !== "running" && how !== "serving");
    }
    fact("Restarts of processes", count(node.restarts), node.restarts > 0);
    if (node.fence !== null) fact("Fence around the VIPs", node.fence, node.fence !== "stands");
    if (node.kernel !== null) fact("Kernel plane", node.kernel, node.kernel !== "works");
    if (node.flows) fact("Flows told to the peer", node.flows.up ? `${short(node.flows.told)}, ${node.flows.lag_ms} ms late` : "not told", !node.flows.up);
    for (const [name, certificate] of Object.entries(certificates)) fact(`Certificate of ${name}`, ...certificateWords(certificate, clock));
    this.rows.show(facts);
  }
}

function certificateWords({names, expires, trouble}, clock) {
  if (trouble) return [trouble, true];
  const left = expires - clock.now;
  const when = left < 0 ? `expired ${span(-left)} ago` : `expires in ${span(left)}`;
  return [`${names.join(", ")}: ${when}`, left < 14 * 86400];
}
