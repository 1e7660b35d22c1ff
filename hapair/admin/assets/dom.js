// Elements from text. Nothing here, or anywhere on this page, takes markup from data.

const SVG = "http://www.w3.org/2000/svg";

/** An element: el("p", {class: "x"}, "text", other). Attributes that are null or false are left out. */
export function el(name, attributes = {}, ...children) {
  return filled(document.createElement(name), attributes, children);
}

export function svg(name, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, name), attributes, children);
}

function filled(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) setAttribute(node, name, value);
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

/** Set where it differs: what has not changed costs no layout. */
export function setAttribute(node, name, value) {
  if (value === null || value === undefined || value === false) {
    if (node.hasAttribute(name)) node.removeAttribute(name);
  } else {
    const text = value === true ? "" : String(value);
    if (node.getAttribute(name) !== text) node.setAttribute(name, text);
  }
}

export function setText(node, text) {
  const only = node.firstChild;
  if (only !== null && only.nodeType === 3 && only === node.lastChild) {
    if (only.data !== text) only.data = text;
  } else if (node.textContent !== text) {
    node.textContent = text;
  }
}

export function find(id) {
  return document.getElementById(id);
}

/** Rows by key, in the order of the keys; `make(key)` gives {node, update(value)}. */
export class Rows {
  constructor(parent, make) {
    this.parent = parent;
    this.make = make;
    this.rows = new Map();
  }

  /** Bring them in line with [key, value] pairs. */
  show(entries) {
    const wanted = new Set();
    let place = this.parent.firstElementChild;
    for (const [key, value] of entries) {
      wanted.add(key);
      let row = this.rows.get(key);
      if (row === undefined) {
        row = this.make(key);
        this.rows.set(key, row);
      }
      if (row.node === place) place = place.nextElementSibling;
      else this.parent.insertBefore(row.node, place);
      row.update(value);
    }
    for (const [key, row] of this.rows) {
      if (!wanted.has(key)) {
        row.node.remove();
        this.rows.delete(key);
      }
    }
  }
}
