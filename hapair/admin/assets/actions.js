// What an admin can do, each after a question: ready, drain, maint and weight of a server; handover, maintenance.

import {el, find, setAttribute, setText} from "./dom.js";
import {list, some} from "./format.js";
import {consequence, holders} from "./words.js";

const CHOICES = [
  ["ready", "Ready", "takes its share of what comes"],
  ["drain", "Drain", "gets nothing new; what is open goes on"],
  ["maint", "Maintenance", "out of service; its checks stop"],
];

const HEARD_MS = 3000;
let shown = 0, answeredAt = -HEARD_MS;

/** Say something to whoever cannot see the page, and show it for a while. News wait for the answer to what somebody did. */
export function say(words, {news = false} = {}) {
  const now = performance.now(), toast = find("toast");
  if (news && now < answeredAt + HEARD_MS) return;
  if (!news) answeredAt = now;
  setText(find("said"), words);
  setText(toast, words);
  clearTimeout(shown);
  shown = setTimeout(() => setText(toast, ""), 6000);
}

async function post(path, content) {
  const answer = await fetch(new URL(path, location.origin), {
    method: "POST", credentials: "same-origin", headers: {"Content-Type": "application/json"}, body: JSON.stringify(content),
  });
  if (!(answer.headers.get("Content-Type") ?? "").startsWith("application/json")) {
    return {ok: false, words: (await answer.text()).trim() || `the node answered ${answer.status}`, news: []};
  }
  return answer.json();
}

export class Actions {
  /** `state()` gives what is known now. */
  constructor(state) {
    this.state = state;
    this.dialog = find("dialog");
    this.dialog.addEventListener("close", () => this.opener?.isConnected && this.opener.focus());
  }

  open(title, parts, confirm, act) {
    this.opener = document.activeElement;
    const trouble = el("p", {class: "trouble", role: "alert"});
    const cancel = el("button", {type: "button"}, "Cancel");
    const form = el("form", {method: "dialog"}, el("h2", {id: "dialog-title"}, title), ...parts, trouble,
      el("p", {class: "buttons"}, cancel, confirm));
    cancel.addEventListener("click", () => this.dialog.close());
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      setAttribute(confirm, "disabled", true);
      setText(trouble, "");
      const answer = await act().catch((error) => ({ok: false, words: `the node did not answer: ${error.message}`}));
      setAttribute(confirm, "disabled", false);
      if (answer.ok) {
        this.dialog.close();
        say(answer.words);
      } else {
        setText(trouble, answer.words);
      }
    });
    this.dialog.replaceChildren(form);
    this.dialog.showModal();
  }

  server(key) {
    const server = this.state().servers[key];
    if (!server) return;
    const confirm = el("button", {type: "submit", class: "confirm"});
    const effect = el("p", {class: "effect", "aria-live": "polite"});
    const weight = el("input", {type: "number", name: "weight", min: 0, max: 256, step: 1, value: server.full_weight, required: true});
    const choices = el("fieldset", {class: "choices"}, el("legend", {}, "What is to become of it?"),
      ...[...CHOICES, ["weight", "Another weight", ""]].map(([value, label, words]) => el("label", {},
        el("input", {type: "radio", name: "what", value, checked: value === (server.admin === "ready" ? "drain" : "ready"),
          disabled: value === server.admin}),
        el("span", {}, el("b", {}, label), words ? ` ${words}` : null, value === server.admin ? " (as it is)" : null,
          value === "weight" ? weight : null))));
    const chosen = () => choices.querySelector("input[name=what]:checked").value;
    const refresh = () => {
      const what = chosen(), file = Number(weight.value) === server.weight_in_file;
      const {words, last} = what === "weight" ? {last: false, words: weightWords(server, Number(weight.value))} : consequence(this.state(), server, what);
      setText(effect, words);
      setAttribute(effect, "class", last ? "effect bad" : "effect");
      setText(confirm, what === "weight" ? `Give ${server.name} weight ${weight.value}${file ? " again" : ""}` : `Put ${server.name} into ${what.toUpperCase()}`);
      setAttribute(weight, "disabled", what !== "weight");
    };
    choices.addEventListener("change", refresh);
    weight.addEventListener("input", refresh);
    refresh();
    const facts = el("p", {class: "quiet"}, `${server.address}, ${server.status}, weight ${server.weight}, ${some(server.open, "open connection")}.${
      this.state().peer ? " What you decide holds on both nodes." : ""}`);
    this.open(`${server.name} of pool ${server.pool}`, [facts, choices, effect], confirm, () => {
      const what = chosen(), about = {pool: server.pool, server: server.name};
      if (what !== "weight") return post("/page/server", {...about, action: what});
      const wanted = Number(weight.value);
      return post("/page/server", {...about, weight: wanted === server.weight_in_file ? null : wanted});
    });
  }

  handover() {
    const {node, peer, routers} = this.state(), moving = holders(this.state()).here.flatMap((name) => routers[name].vips);
    const confirm = el("button", {type: "submit", class: "confirm"}, `Hand over to ${peer.name}`);
    const words = el("p", {class: "effect"}, `${peer.name} takes over ${list(moving)}. Open connections live on. `
      + `${node.name} does not take them back by itself; `, el("code", {}, "hapair preempt"), " lets it.");
    this.open(`Let ${peer.name} take over?`, [words], confirm, () => post("/page/handover", {}));
  }

  takeOver() {
    const {node, peer, routers} = this.state(), here = holders(this.state()).here;
    const moving = Object.keys(routers).filter((name) => !here.includes(name)).flatMap((name) => routers[name].vips);
    const confirm = el("button", {type: "submit", class: "confirm"}, `Bring them to ${node.name}`);
    const words = el("p", {class: "effect"}, `${peer.name} is asked to hand over ${list(moving)}, whatever the priorities are. `
      + "Open connections live on.");
    this.open(`Let ${node.name} take over?`, [words], confirm, () => post("/page/takeover", {}));
  }

  maintenance() {
    const {node, peer} = this.state(), here = holders(this.state()).here, on = !node.maintenance;
    if (!on) {
      const confirm = el("button", {type: "submit", class: "confirm"}, "End maintenance");
      const words = el("p", {class: "effect"}, `${node.name} takes part again. `
        + (peer ? `It takes nothing back from ${peer.name} by itself: that is what Take over is for.` : ""));
      this.open(`End the maintenance of ${node.name}?`, [words], confirm, () => post("/page/maintenance", {on}));
      return;
    }
    const confirm = el("button", {type: "submit", class: "confirm"}, `Put ${node.name} into maintenance`);
    const alone = here.length > 0 && !peer?.up;
    const words = el("p", {class: alone ? "effect bad" : "effect"}, here.length === 0 ? "" : alone ? "Nobody is there to take over. " : `${peer.name} takes over first, and open connections live on. `,
      `${node.name} holds no VIP until the maintenance is ended, also after a restart.`);
    const force = el("input", {type: "checkbox", name: "force"});
    const anyway = el("label", {class: "anyway"}, force, el("span", {}, "Also if nobody takes over: clients are cut off then"));
    this.open(`Take ${node.name} out of the pair?`, [words, here.length ? anyway : null].filter(Boolean), confirm, () => post("/page/maintenance", {on, force: force.checked}));
  }
}

function weightWords(server, weight) {
  const file = `The file says ${server.weight_in_file}.`;
  if (weight === 0) return `With weight 0 ${server.name} gets nothing new, as with DRAIN. ${file}`;
  return `${server.name} gets a share as its weight is among those of the pool. ${file}`;
}
