// Draw wanted nodes into the page, changing only what differs: focus, hover and scrolling stay where they are.
// Every value becomes a text node or an attribute; nothing is ever parsed as markup.

const SVG = "http://www.w3.org/2000/svg";
const SHAPES = new Set(["svg", "g", "path", "rect", "line", "text", "circle", "title"]);

/** A wanted node. `props`: attributes, `on…` functions, `key` (who it is among its siblings), `vars` (CSS variables). */
export function h(tag, props, ...children) {
  return { tag, props: props ?? {}, children: flat(children) };
}

/** Make the children of `parent` those that are wanted. */
export function draw(parent, ...wanted) {
  const keyed = new Map();
  for (const node of parent.childNodes) if (node.wantedKey !== undefined) keyed.set(node.wantedKey, node);
  let at = parent.firstChild;
  for (const want of flat(wanted)) {
    const key = want.props?.key;
    const old = key === undefined ? at : keyed.get(key);
    const node = old && fits(old, want, key) ? old : make(want);
    update(node, want);
    if (node === at) at = at.nextSibling;
    else parent.insertBefore(node, at);
  }
  while (at) {
    const next = at.nextSibling;
    at.remove();
    at = next;
  }
}

/** The element of that id. */
export const byId = (id) => document.getElementById(id);

/** Write into every place bound to `name`. */
export function bind(name, text) {
  for (const node of document.querySelectorAll(`[data-bind="${name}"]`)) {
    if (node.textContent !== String(text)) node.textContent = text;
  }
}

function flat(children) {
  return children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false);
}

function fits(node, want, key) {
  if (want.tag === undefined) return node.nodeType === Node.TEXT_NODE;
  return node.nodeType === Node.ELEMENT_NODE && node.localName === want.tag && node.wantedKey === key;
}

function make(want) {
  if (want.tag === undefined) return document.createTextNode("");
  const node = SHAPES.has(want.tag) ? document.createElementNS(SVG, want.tag) : document.createElement(want.tag);
  node.wantedKey = want.props.key;
  return node;
}

function update(node, want) {
  if (want.tag === undefined) {
    const text = String(want);
    if (node.data !== text) node.data = text;
    return;
  }
  const before = node.wantedProps ?? {};
  for (const name of Object.keys(before)) if (!(name in want.props)) set(node, name, null, before[name]);
  for (const [name, value] of Object.entries(want.props)) {
    if (before[name] !== value) set(node, name, value, before[name]);
  }
  node.wantedProps = want.props;
  draw(node, want.children);
}

function set(node, name, value, before) {
  if (name === "key") return;
  if (name === "vars") {
    for (const each of Object.keys(before ?? {})) if (!(each in (value ?? {}))) node.style.removeProperty(each);
    for (const [each, said] of Object.entries(value ?? {})) if (before?.[each] !== said) node.style.setProperty(each, said);
  } else if (name.startsWith("on")) node[name] = value;
  else if (value === null || value === undefined || value === false) node.removeAttribute(name);
  else node.setAttribute(name, value === true ? "" : String(value));
}
