// The state of the pair in sentences. Pure: no document.

import {list, short, some, span, time} from "./format.js";

/** Of each virtual router: {here, there}: who has it, as far as this node knows. */
export function holders(state) {
  const made = {here: [], there: [], elsewhere: [], nobody: []};
  for (const [name, router] of Object.entries(state.routers)) {
    if (router.state === "Active") made.here.push(name);
    else if (state.peer?.current && state.peer.told.routers[name]?.state === "Active") made.there.push(name);
    else if (router.active_router && state.peer && isAddress(router.active_router, state.peer)) made.there.push(name);
    else if (router.active_router) made.elsewhere.push(name);
    else made.nobody.push(name);
  }
  return made;
}

function isAddress(address, peer) {
  return address === peer.address || address === peer.name;
}

function stamp(second, clock) {
  return `since ${time(clock.at(second), clock.epoch)} (${span(clock.since(second))})`;
}

function earliest(routers) {
  const known = routers.map(({since}) => since).filter((since) => since !== null);
  return known.length ? Math.min(...known) : null;
}

/** "pi-a is Active since 14:02 (2 h 5 min)" */
export function headline(state, clock) {
  const node = state.node.name, routers = state.routers, {here, there, elsewhere, nobody} = holders(state);
  const names = Object.keys(routers);
  if (!names.length) return `${node} serves, without virtual IP addresses`;
  const since = (chosen) => {
    const second = earliest(chosen.map((name) => routers[name]));
    return second === null ? "" : ` ${stamp(second, clock)}`;
  };
  if (here.length === names.length) return `${node} is Active${since(here)}`;
  if (there.length === names.length) {
    const told = state.peer.current ? earliest(there.map((name) => state.peer.told.routers[name]).filter(Boolean)) : null;
    if (told === null) return `${state.peer.name} is Active, ${node} stands by${since(there)}`;
    return `${state.peer.name} is Active ${stamp(told, clock)}, ${node} stands by`;
  }
  if (here.length && there.length) {
    return `${node} is Active for ${list(here)}, ${state.peer.name} for ${list(there)}`;
  }
  if (here.length) return `${node} is Active for ${list(here)}, and for ${list([...elsewhere, ...nobody])} it is not`;
  if (elsewhere.length) return `${list([...new Set(elsewhere.map((name) => routers[name].active_router))])} is Active, ${node} stands by`;
  if (there.length) return `${state.peer.name} is Active for ${list(there)}, ${node} stands by`;
  const waiting = nobody.map((name) => routers[name].waits_for).find((one) => one);
  return waiting ? `${node} is not Active: it waits for ${waiting}` : `Nobody is known to be Active; this is ${node}`;
}

/** "All 6 servers are UP. Now 120 requests/s, 3 connections/s and no errors." */
export function summary(state, samples, fields) {
  const servers = Object.values(state.servers), sample = samples[""] ?? [];
  const value = (name) => sample[fields.indexOf(name)] ?? 0;
  const aside = servers.filter((one) => one.admin !== "ready").length;
  const down = servers.filter((one) => one.standing === "down" || one.standing === "returning").length;
  const words = [];
  if (!servers.length) words.push("There are no servers.");
  else if (!down && !aside) words.push(servers.length === 1 ? "Its one server is UP." : `All ${servers.length} servers are UP.`);
  else {
    const up = servers.filter((one) => one.standing === "up" || one.standing === "failing").length;
    words.push(`${up} of ${some(servers.length, "server")} UP${down ? `, ${down} DOWN` : ""}${aside ? `, ${aside} out of service by an administrator` : ""}.`);
  }
  const errors = value("errors_per_s");
  const rates = [`${short(value("requests_per_s"))} requests/s`, `${short(value("connections_per_s"))} connections/s`,
    errors ? `${short(errors)} errors/s` : "no errors"];
  words.push(`Now ${list(rates)}.`);
  return words.join(" ");
}

/** What a change of standing would leave of a pool. */
export function consequence(state, server, action) {
  const pool = Object.values(state.servers).filter((one) => one.pool === server.pool);
  const serves = (one) => (one.standing === "up" || one.standing === "failing") && one.weight > 0;
  const others = pool.filter((one) => one.name !== server.name && serves(one)).length;
  if (action === "ready") {
    return {last: false, words: `${server.name} gets its share of what comes for pool ${server.pool} again, once its checks say that it is UP.`};
  }
  const open = server.open ? ` ${some(server.open, "connection")} to it ${server.open === 1 ? "is" : "are"} open now and may finish.` : "";
  const left = others ? `${some(others, "other server")} of pool ${server.pool} ${others === 1 ? "serves" : "serve"} on.`
    : `No other server of pool ${server.pool} serves: clients would get 503.`;
  return {last: others === 0, words: `${server.name} gets nothing new.${open} ${left}`};
}
