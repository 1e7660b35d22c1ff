// The stats page's modules that touch no document, run by Node.js: see test_modules.py.

import assert from "node:assert/strict";
import {test} from "node:test";

const {count, short, bytesPerSecond, both, milliseconds, span, list, some} = await import(`${process.env.ASSETS}/format.js`);
const {Hour, axis, logAxis} = await import(`${process.env.ASSETS}/hour.js`);
const {bare, Clock, lay} = await import(`${process.env.ASSETS}/state.js`);
const {consequence, headline, holders, summary} = await import(`${process.env.ASSETS}/words.js`);
const {inWords} = await import(`${process.env.ASSETS}/strip.js`);

test("numbers have three digits that count", () => {
  assert.deepEqual([0, 0.0004, 0.25, 12.34, 99.96, 999.4, 1000, 12345, 1.5e6, 2e9].map(short),
    ["0", "0", "0.25", "12.3", "100", "999", "1 k", "12.3 k", "1.5 M", "2 G"]);
  assert.equal(count(1234567), "1,234,567");
  assert.deepEqual([undefined, null, NaN].map(short), ["–", "–", "–"]);
  assert.deepEqual([0, 512, 1234567].map(bytesPerSecond), ["0 B/s", "512 B/s", "1.23 MB/s"]);
  assert.deepEqual([0.42, 12, 999.6, 1234].map(milliseconds), ["0.42 ms", "12 ms", "1 s", "1.23 s"]);
  assert.deepEqual([both(4.26, 30.8), both(4.26, 1200), both(null, null)], ["4.26 / 30.8 ms", "4.26 ms / 1.2 s", "– / –"]);
});

test("spans and lists are in words", () => {
  assert.deepEqual([0, 59.9, 60, 3600, 7500, 86400, 360000].map(span), ["0 s", "59 s", "1 min", "1 h", "2 h 5 min", "1 d", "4 d 4 h"]);
  assert.deepEqual([[], ["a"], ["a", "b"], ["a", "b", "c"]].map(list), ["", "a", "a and b", "a, b and c"]);
  assert.deepEqual([some(1, "server"), some(2, "server")], ["1 server", "2 servers"]);
});

test("changes are laid over a state", () => {
  const state = bare({peer: {up: true}, servers: {a: {n: 1, m: 2}, b: {n: 1}}, warnings: ["x"]});
  lay(state, {peer: null, servers: {a: {n: 5}, b: null, c: {n: 9}}, warnings: []});
  assert.deepEqual(JSON.parse(JSON.stringify(state)), {servers: {a: {n: 5, m: 2}, c: {n: 9}}, warnings: []});
});

test("a name is a name, whatever objects usually have", () => {
  const state = bare({servers: {}});
  lay(state, JSON.parse('{"servers": {"__proto__": {"n": 1}, "constructor": {"n": 2}}}'));
  assert.deepEqual(Object.keys(state.servers), ["__proto__", "constructor"]);
  assert.equal({}.n, undefined);
});

test("seconds of the node are times of day", () => {
  const clock = new Clock({second: 100, now: 100.5, epoch: 1000.5});
  assert.deepEqual([clock.at(40), clock.since(40), clock.since(null)], [940, 60.5, null]);
});

test("an hour is a ring of samples", () => {
  const hour = new Hour(["a", "b"]);
  hour.load(new Float32Array([1, 10, 3, 30]).buffer, 7200);
  hour.add(7200, [9, 9]); // known already
  hour.add(7202, [5, null]);
  assert.deepEqual([...hour.columns("a", 4, 4)], [1, 3, NaN, 5]);
  assert.deepEqual([...hour.columns("a", 4, 2)], [2, 5]);
  assert.deepEqual([...hour.columns("a", 4, 2, true)], [3, 5]);
  assert.deepEqual(hour.figures("a", 3600), {last: 5, mean: 3, most: 5});
  assert.deepEqual(hour.figures("b", 4), {last: NaN, mean: 20, most: 30});
  hour.add(7202 + 5000, [1, 1]);
  assert.equal(hour.figures("a", 3600).mean, 1);
});

test("axes end at round numbers", () => {
  assert.deepEqual([0, 3, 7, 1234].map((most) => axis(most).marks),
    [[0, 0.5, 1], [0, 1, 2, 3], [0, 2.5, 5, 7.5], [0, 500, 1000, 1500]]);
  assert.deepEqual(logAxis(3, 220), {bottom: 1, top: 1000, marks: [1, 10, 100, 1000]});
  assert.deepEqual(logAxis(1, 1).marks, [1, 10]);
});

const router = {state: "Active", since: 40, vips: ["192.0.2.1/24"], active_router: null, waits_for: null};
const pair = (routers, peer = null) => bare({node: {name: "pi-a"}, peer, routers});
const clock = new Clock({second: 100, now: 100, epoch: 100});

test("who is Active is a sentence", () => {
  const peer = {name: "pi-b", address: "192.0.2.12", current: false};
  const backup = {...router, state: "Backup", active_router: "192.0.2.12"};
  assert.match(headline(pair({lan: router}), clock), /^pi-a is Active since \d\d:\d\d \(1 min\)$/);
  assert.match(headline(pair({lan: backup}, peer), clock), /^pi-b is Active, pi-a stands by since /);
  const told = {...peer, current: true, told: {routers: {lan: {state: "Active", since: 70}}}};
  assert.match(headline(pair({lan: {...backup, active_router: null}}, told), clock), /^pi-b is Active since .* \(30 s\), pi-a stands by$/);
  assert.equal(headline(pair({lan: router, wan: backup}, peer), clock), "pi-a is Active for lan, pi-b for wan");
  assert.equal(headline(pair({lan: {...backup, active_router: "192.0.2.99"}}, peer), clock), "192.0.2.99 is Active, pi-a stands by");
  assert.equal(headline(pair({}), clock), "pi-a serves, without virtual IP addresses");
  const waits = {...router, state: "Initialize", waits_for: "interface eth0"};
  assert.equal(headline(pair({lan: waits}), clock), "pi-a is not Active: it waits for interface eth0");
  assert.equal(headline(pair({lan: {...backup, active_router: null}}, peer), clock), "Nobody is known to be Active; this is pi-a");
  assert.deepEqual(holders(pair({lan: router, wan: waits})), {here: ["lan"], there: [], elsewhere: [], nobody: ["wan"]});
});

const server = (name, standing, more = {}) => ({pool: "web", name, standing, admin: "ready", weight: 1, open: 0, ...more});

test("servers are summed up", () => {
  const say = (...servers) => summary({servers: Object.fromEntries(servers.map((one) => [one.name, one]))}, {"": [50, 0]}, ["requests_per_s", "errors_per_s"]);
  assert.equal(say(server("a", "up"), server("b", "failing")), "All 2 servers are UP. Now 50 requests/s, 0 connections/s and no errors.");
  assert.match(say(server("a", "up"), server("b", "down"), server("c", "maint", {admin: "maint"})),
    /^1 of 3 servers UP, 1 DOWN, 1 out of service by an administrator\. /);
});

test("what a change would leave is said", () => {
  const state = {servers: {a: server("a", "up", {open: 2}), b: server("b", "up"), c: server("c", "down")}};
  assert.deepEqual(consequence(state, state.servers.a, "drain"),
    {last: false, words: "a gets nothing new. 2 connections to it are open now and may finish. 1 other server of pool web serves on."});
  delete state.servers.b;
  assert.equal(consequence(state, state.servers.a, "maint").last, true);
  assert.match(consequence(state, state.servers.c, "ready").words, /^c gets its share/);
});

test("a strip is told in words", () => {
  assert.equal(inWords([], clock), "nothing is known yet");
  assert.equal(inWords([[40, "up"]], clock), "up for the last 1 min");
  assert.equal(inWords([[-9000, "up"]], clock), "up for the last hour");
  assert.match(inWords([[10, "up"], [70, "down"], [90, "up"]], clock), /^2 changes: down at \d\d:\d\d, up at \d\d:\d\d$/);
});
