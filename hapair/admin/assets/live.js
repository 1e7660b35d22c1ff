// Events from the node, and whether they come.

const SILENT_MS = 4000;

export class Live {
  /** `on`: {hello, whole, tick, alive(boolean)}. */
  constructor(on) {
    this.on = on;
    this.heard = performance.now();
    this.alive = null;
    this.open();
    setInterval(() => this.look(), 1000);
  }

  open() {
    this.source = new EventSource(new URL("/page/events", location.origin));
    for (const name of ["hello", "whole", "tick"]) {
      this.source.addEventListener(name, ({data}) => {
        this.heard = performance.now();
        this.on[name](JSON.parse(data));
        this.tell(true);
      });
    }
    this.source.addEventListener("error", () => this.tell(false));
  }

  look() {
    const silent = performance.now() - this.heard > SILENT_MS;
    if (silent) this.tell(false);
    // A browser tries again by itself, but not after an answer such as 503, nor where a peer's death is not noticed.
    if (this.source.readyState === EventSource.CLOSED || performance.now() - this.heard > 3 * SILENT_MS) {
      this.source.close();
      this.heard = performance.now();
      this.open();
    }
  }

  tell(alive) {
    if (alive === this.alive) return;
    this.alive = alive;
    this.on.alive(alive);
  }
}
