// The stats page: events in, each part shown. What has not changed is not touched.

import {Actions, say} from "./actions.js";
import {Charts} from "./charts.js";
import {el, find, Rows, setAttribute, setText} from "./dom.js";
import {Events} from "./events.js";
import {time} from "./format.js";
import {Live} from "./live.js";
import {Pair} from "./pair.js";
import {bare, Clock, lay} from "./state.js";
import {Facts, Frontends, Pools} from "./tables.js";
import {headline, summary} from "./words.js";

let hello = null, state = null, clock = null, samples = {}, charts = null, role = null;

const actions = new Actions(() => state);
const pair = new Pair({handOver: () => actions.handover(), takeOver: () => actions.takeOver(), maintain: () => actions.maintenance()});
const frontends = new Frontends();
const pools = new Pools((key) => actions.server(key));
const facts = new Facts();
const events = new Events();
const warnings = new Rows(find("warnings"), (words) => ({node: el("li", {}, words), update() {}}));

function greet(said) {
  if (hello !== null && hello.version !== said.version) location.reload(); // another hapair than this page is of
  hello = said;
  setText(find("who"), said.user ? `${said.user}${said.admin ? "" : ", may look only"}` : "");
  setText(find("version"), "");
  charts ??= new Charts(said.fields);
}

function show() {
  if (document.hidden) return;
  const title = headline(state, clock);
  setText(find("headline"), title);
  setText(find("summary"), summary(state, samples, hello.fields));
  warnings.show(state.warnings.map((words) => [words, words]));
  setAttribute(find("warnings"), "hidden", state.warnings.length === 0);
  pair.show(state, clock, hello.admin ? hello.pair : []);
  frontends.show(state.frontends, samples, hello.fields);
  pools.show(state, clock, hello.admin);
  facts.show(state, clock);
  setText(find("version"), `hapair ${state.node.version} on ${state.node.name}`);
  const mark = state.warnings.length ? `(${state.warnings.length}) ` : "";
  const name = `${mark}${state.node.name} ${state.node.role}`;
  if (document.title !== name) document.title = name;
  if (role !== null && role !== state.node.role) say(title, {news: true});
  role = state.node.role;
}

const on = {
  hello: greet,
  whole(said) {
    state = bare(said.state);
    clock = new Clock(said.clock);
    samples = bare(said.samples);
    show();
    performance.mark("shown");
    events.load(said.events, clock.epoch, state.node.name);
    charts.clock = clock;
    charts.offer(Object.keys(samples));
    charts.load();
  },
  tick(said) {
    lay(state, said.changes);
    clock = new Clock(said.clock);
    samples = bare(said.samples);
    show();
    events.add(said.events, clock.epoch);
    charts.offer(Object.keys(samples));
    charts.add(clock.second, samples, clock);
  },
  alive(alive) {
    const pulse = find("pulse");
    setAttribute(pulse, "class", alive ? "pulse live" : "pulse lost");
    setText(pulse.lastElementChild, alive ? "live" : clock ? `not live: last heard ${time(clock.epoch, clock.epoch, {seconds: true})}` : "no answer yet");
    setAttribute(document.body, "class", alive ? null : "stale");
  },
};

document.addEventListener("visibilitychange", () => state && show());
// What there is already is painted before what comes is worked for; a page in the background is not painted at all.
if (document.hidden) new Live(on);
else requestAnimationFrame(() => setTimeout(() => new Live(on)));
