// The charts of the last hour, and the same in figures.

import {Chart} from "./chart.js";
import {el, find, setText} from "./dom.js";
import {bytesPerSecond, milliseconds, perSecond, short} from "./format.js";
import {Hour} from "./hour.js";

const SPANS = [[300, "5 min"], [900, "15 min"], [3600, "1 hour"]];

const CHARTS = [
  {title: "Requests", format: perSecond, least: 1,
    lines: [{field: "requests_per_s", label: "requests", style: "c1"}]},
  {title: "Latency", format: milliseconds, least: 1, logarithmic: true,
    lines: [{field: "p99_ms", label: "p99", style: "c2", peak: true}, {field: "p50_ms", label: "p50", style: "c1"}]},
  {title: "Errors", format: perSecond, least: 1,
    lines: [{field: "errors_per_s", label: "5xx and failed", style: "c3", peak: true},
      {field: "client_errors_per_s", label: "4xx", style: "c4", peak: true}]},
  {title: "Connections", format: perSecond, least: 1,
    lines: [{field: "connections_per_s", label: "new connections", style: "c1"}]},
  {title: "Bytes", format: bytesPerSecond, least: 1000,
    lines: [{field: "bytes_out_per_s", label: "to clients", style: "c1"},
      {field: "bytes_in_per_s", label: "to servers", style: "c2"}]},
];
const FIGURES = [
  ["Requests", "requests_per_s", perSecond], ["Connections", "connections_per_s", perSecond], ["Open", "open", short],
  ["To clients", "bytes_out_per_s", bytesPerSecond], ["To servers", "bytes_in_per_s", bytesPerSecond],
  ["Latency p50", "p50_ms", milliseconds], ["Latency p99", "p99_ms", milliseconds],
  ["5xx and failed", "errors_per_s", perSecond], ["4xx", "client_errors_per_s", perSecond],
];

export class Charts {
  /** `fields`: what a sample has. */
  constructor(fields) {
    this.hour = new Hour(fields);
    this.series = "";
    this.seconds = 3600;
    this.charts = CHARTS.map((config) => new Chart(config, (fraction) => this.point(fraction)));
    this.cells = FIGURES.map(() => [el("td"), el("td"), el("td")]);
    const head = el("tr", {}, el("td"), ...["now", "mean", "most"].map((word) => el("th", {scope: "col"}, word)));
    const rows = FIGURES.map(([label], row) => el("tr", {}, el("th", {scope: "row"}, label), ...this.cells[row]));
    this.caption = el("caption", {}, "In figures");
    const table = el("table", {class: "figures"}, this.caption, el("thead", {}, head), el("tbody", {}, ...rows));
    find("chart-grid").replaceChildren(...this.charts.map((chart) => chart.node), el("div", {class: "chart"}, table));
    this.makeControls();
    new ResizeObserver(() => {
      for (const chart of this.charts) chart.resize(Math.floor(chart.plot.clientWidth));
      this.draw();
    }).observe(find("chart-grid"));
    document.addEventListener("visibilitychange", () => this.draw());
  }

  makeControls() {
    find("spans").append(...SPANS.map(([seconds, label]) => {
      const input = el("input", {type: "radio", name: "span", value: seconds, checked: seconds === this.seconds});
      input.addEventListener("change", () => {
        this.chosen = true;
        this.seconds = seconds;
        this.draw();
      });
      return el("label", {}, input, el("span", {}, label));
    }));
    find("series").addEventListener("change", (event) => this.load(event.target.value));
  }

  /** The frontends that have a series of their own. */
  offer(names) {
    const select = find("series"), wanted = ["", ...names.filter((name) => name !== "")];
    if (wanted.join("\n") === this.offered) return;
    this.offered = wanted.join("\n");
    select.replaceChildren(...wanted.map((name) => el("option", {value: name}, name || "all frontends")));
    if (!wanted.includes(this.series)) this.series = "";
    select.value = this.series;
  }

  /** Get the hour of one series from the node. */
  async load(series = this.series) {
    this.series = series;
    const address = new URL(`/page/history?frontend=${encodeURIComponent(series)}`, location.origin);
    const answer = await fetch(address, {credentials: "same-origin"}).catch(() => null);
    if (!answer?.ok || series !== this.series) return;
    const samples = await answer.arrayBuffer();
    this.hour.load(samples, Number(answer.headers.get("History-End")));
    if (!this.chosen) this.suit(samples.byteLength / 4 / this.hour.width);
    this.draw();
  }

  /** The span that suits so many seconds of a young node, until somebody chooses. */
  suit(known) {
    const [seconds] = SPANS.find(([span]) => known <= span) ?? SPANS.at(-1);
    this.seconds = seconds;
    find("spans").querySelector(`input[value="${seconds}"]`).checked = true;
  }

  /** Another second. */
  add(second, samples, clock) {
    const sample = samples[this.series];
    this.clock = clock;
    if (sample) this.hour.add(second, sample);
    this.draw();
  }

  draw() {
    if (document.hidden || !this.hour.end || !this.clock) return;
    const end = this.clock.at(this.hour.end);
    for (const chart of this.charts) chart.draw(this.hour, this.seconds, end);
    FIGURES.forEach(([, field, format], row) => {
      const {last, mean, most} = this.hour.figures(field, this.seconds);
      [last, mean, most].forEach((value, column) => setText(this.cells[row][column], format(value)));
    });
  }

  point(fraction) {
    for (const chart of this.charts) chart.point(fraction);
  }
}
