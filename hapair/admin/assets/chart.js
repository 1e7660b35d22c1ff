// One chart: lines over time, drawn pixel by pixel for the width that there is, with a mark that pointer or keys move.

import {el, setAttribute, setText, svg} from "./dom.js";
import {time} from "./format.js";
import {axis, logAxis} from "./hour.js";

const HEIGHT = 132, TOP = 8, BOTTOM = 20, RIGHT = 6, LEFT = 58;
const COLUMN = 2; // pixels
const STEPS = [60, 120, 300, 600, 900, 1200, 1800];

export class Chart {
  /**
   * `lines`: [{field, label, style, peak}]; `format` writes a value with its unit; `logarithmic`: in powers of ten;
   * `moved(fraction)` is called when the mark is moved, with its place from 0 to 1, or null when it is taken away.
   */
  constructor({title, lines, format, least, logarithmic = false}, moved) {
    Object.assign(this, {title, lines, format, least, logarithmic, moved});
    this.columns = 0;
    this.mark = null;
    this.values = [];
    this.readout = el("output", {class: "readout", "aria-hidden": "true"});
    this.drawing = svg("svg", {height: HEIGHT, "aria-hidden": "true", focusable: "false"});
    this.plot = el("div", {
      class: "plot", tabindex: "0", role: "slider", "aria-label": title, "aria-describedby": "chart-help",
      "aria-valuemin": "0", "aria-valuemax": "100", "aria-valuenow": "100", "aria-orientation": "horizontal",
    }, this.drawing);
    const keys = el("ul", {class: "keys"}, ...lines.map(({label, style}) => el("li", {}, el("i", {class: style}), label)));
    this.node = el("figure", {class: "chart"},
      el("figcaption", {}, el("h3", {}, title), lines.length > 1 ? keys : null, this.readout), this.plot);
    this.grid = svg("g", {class: "grid"});
    this.labels = svg("g", {class: "labels"});
    this.areas = lines.map(({style}, place) => svg("path", {class: `area ${place ? "none" : style}`}));
    this.paths = lines.map(({style}) => svg("path", {class: `line ${style}`}));
    this.cursor = svg("line", {class: "cursor", y1: TOP, y2: HEIGHT - BOTTOM, visibility: "hidden"});
    this.dots = lines.map(({style}) => svg("circle", {class: `dot ${style}`, r: 3, visibility: "hidden"}));
    this.drawing.append(this.grid, ...this.areas, ...this.paths, this.cursor, ...this.dots, this.labels);
    this.listen();
  }

  listen() {
    const fraction = (event) => {
      const box = this.plot.getBoundingClientRect();
      return Math.min(1, Math.max(0, (event.clientX - box.left - LEFT) / (box.width - LEFT - RIGHT)));
    };
    this.plot.addEventListener("pointermove", (event) => this.moved(fraction(event)));
    this.plot.addEventListener("pointerdown", (event) => this.moved(fraction(event)));
    this.plot.addEventListener("pointerleave", () => this.moved(null));
    this.plot.addEventListener("blur", () => this.moved(null));
    this.plot.addEventListener("keydown", (event) => {
      const last = this.columns - 1, at = this.mark ?? last;
      const to = {ArrowLeft: at - 1, ArrowRight: at + 1, ArrowDown: at - 1, ArrowUp: at + 1,
        PageDown: at - 10, PageUp: at + 10, Home: 0, End: last}[event.key];
      if (event.key === "Escape") this.moved(null);
      else if (to !== undefined) this.moved(Math.min(last, Math.max(0, to)) / last);
      else return;
      event.preventDefault();
    });
  }

  resize(width) {
    if (width === this.width || width < 80) return;
    this.width = width;
    this.columns = Math.max(2, Math.floor((width - LEFT - RIGHT) / COLUMN));
    setAttribute(this.drawing, "width", width);
    setAttribute(this.drawing, "viewBox", `0 0 ${width} ${HEIGHT}`);
  }

  /** Draw the `seconds` up to the end of what `hour` holds; `end` is that end as time of day. */
  draw(hour, seconds, end) {
    if (!this.width) return;
    this.seconds = seconds;
    this.end = end;
    const columns = this.columns = Math.min(Math.max(2, Math.floor((this.width - LEFT - RIGHT) / COLUMN)), seconds);
    this.values = this.lines.map(({field, peak}) => hour.columns(field, seconds, columns, peak));
    this.now = this.lines.map(({field}) => hour.figures(field, 1).last);
    let most = 0, least = Infinity;
    for (const values of this.values) {
      for (const value of values) {
        if (value > most) most = value;
        if (value < least && value > 0) least = value;
      }
    }
    const {bottom = 0, top, marks} = this.logarithmic ? logAxis(Math.min(least, this.least), Math.max(most, this.least)) : axis(most, this.least);
    this.bottom = bottom;
    this.top = top;
    this.drawAxes(marks);
    this.values.forEach((values, place) => this.drawLine(values, place));
    this.showMark();
  }

  x(column) {
    return LEFT + (column / (this.columns - 1)) * (this.width - LEFT - RIGHT);
  }

  y(value) {
    const share = this.logarithmic ? Math.log(Math.max(value, this.bottom) / this.bottom) / Math.log(this.top / this.bottom) : value / this.top;
    return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM);
  }

  drawLine(values, place) {
    const floor = HEIGHT - BOTTOM;
    let line = "", area = "", open = false, last = 0;
    for (let column = 0; column < values.length; column += 1) {
      const value = values[column];
      if (Number.isNaN(value)) {
        if (open) area += `L${last} ${floor}Z`;
        open = false;
        continue;
      }
      const x = Math.round(this.x(column) * 10) / 10, y = Math.round(this.y(value) * 10) / 10;
      const alone = !open && !(values[column + 1] >= 0);
      line += alone ? `M${x - 1} ${y}h2` : `${open ? "L" : "M"}${x} ${y}`;
      area += open ? `L${x} ${y}` : `M${x} ${floor}L${x} ${y}`;
      open = true;
      last = x;
    }
    if (open) area += `L${last} ${floor}Z`;
    setAttribute(this.paths[place], "d", line || "M0 0");
    setAttribute(this.areas[place], "d", area || "M0 0");
  }

  drawAxes(marks) {
    const right = this.width - RIGHT, step = STEPS.find((one) => this.seconds / one <= Math.max(2, this.width / 90)) ?? 3600;
    const key = `${this.width} ${marks.join()} ${this.seconds} ${Math.floor(this.end)}`;
    if (key === this.drawn) return;
    this.drawn = key;
    const grid = [], labels = [];
    marks.forEach((value, number) => {
      const y = Math.round(this.y(value)) + 0.5;
      grid.push(svg("line", {x1: LEFT, x2: right, y1: y, y2: y, class: number ? null : "floor"}));
      labels.push(svg("text", {x: LEFT - 6, y: y + 3.5, "text-anchor": "end"}, this.format(value)));
    });
    const zone = new Date(this.end * 1000).getTimezoneOffset() * 60;
    for (let at = Math.ceil((this.end - this.seconds - zone) / step) * step + zone; at <= this.end; at += step) {
      const x = LEFT + ((at - this.end + this.seconds) / this.seconds) * (right - LEFT), place = Math.round(x) + 0.5;
      grid.push(svg("line", {x1: place, x2: place, y1: TOP, y2: HEIGHT - BOTTOM}));
      if (x > LEFT + 14 && x < right - 12) {
        labels.push(svg("text", {x: place, y: HEIGHT - 5, "text-anchor": "middle"}, time(at, at)));
      }
    }
    this.grid.replaceChildren(...grid);
    this.labels.replaceChildren(...labels);
  }

  /** Put the mark to a place from 0 to 1; null: take it away. */
  point(fraction) {
    this.mark = fraction === null ? null : Math.round(fraction * (this.columns - 1));
    this.showMark();
  }

  showMark() {
    if (!this.values.length) return;
    const shown = this.mark !== null, column = shown ? Math.min(this.mark, this.columns - 1) : this.columns - 1;
    const at = this.end - this.seconds * (1 - (column + 1) / this.columns);
    const values = shown ? this.values.map((line) => line[column]) : this.now;
    setAttribute(this.cursor, "visibility", shown ? "visible" : "hidden");
    if (shown) for (const end of ["x1", "x2"]) setAttribute(this.cursor, end, Math.round(this.x(column)) + 0.5);
    values.forEach((value, place) => {
      const drawn = shown && !Number.isNaN(value);
      setAttribute(this.dots[place], "visibility", drawn ? "visible" : "hidden");
      if (!drawn) return;
      setAttribute(this.dots[place], "cx", this.x(column));
      setAttribute(this.dots[place], "cy", this.y(value));
    });
    const words = values.map((value) => this.format(value)).join(" / ");
    setText(this.readout, shown ? `${time(at, at, {seconds: true})}  ${words}` : words);
    setAttribute(this.readout, "class", shown ? "readout marked" : "readout");
    const said = this.lines.map(({label}, place) => `${label} ${this.format(values[place])}`).join(", ");
    setAttribute(this.plot, "aria-valuenow", Math.round((100 * column) / Math.max(1, this.columns - 1)));
    setAttribute(this.plot, "aria-valuetext", `${time(at, at, {seconds: true})}: ${said}`);
  }
}
