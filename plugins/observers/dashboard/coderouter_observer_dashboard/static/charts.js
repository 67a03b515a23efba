// Charts as SVG: columns and lines over the same axis, read by pointer or by arrow keys.

import { draw, h } from "./dom.js";
import { known } from "./format.js";

const HEIGHT = 190;
const LEFT = 52;
const RIGHT = 10;
const TOP = 12;
const BOTTOM = 24;
const looks = new Map();

/** Draw into `place`. `points` are {label, tick, values}, a value for each of `series` {name, kind, look}; null is a gap.
 * `format` shows a value with its unit, `whole` says that there are no halves; `total` is what the legend says while nobody points. */
export function chart(place, { name, points, series, format, total, empty, whole = false }) {
  let look = looks.get(place);
  if (!look) {
    look = { cursor: null };
    looks.set(place, look);
    new ResizeObserver(() => redraw(place)).observe(place);
  }
  look.spec = { name, points, series, format, total, empty, whole };
  redraw(place);
}

function redraw(place) {
  const look = looks.get(place);
  const { points, series, format, total, empty, name, whole } = look.spec;
  const width = Math.max(240, place.clientWidth);
  const shown = points.some((point) => point.values.some((value) => known(value) && value !== 0));
  const cursor = look.cursor === null || !points.length ? null : Math.min(look.cursor, points.length - 1);
  const said = cursor === null ? null : points[cursor];
  draw(
    place,
    h("p", { class: "legend", "aria-live": look.keyed ? "polite" : "off" },
      h("span", { class: "when" }, said ? said.label : total?.label ?? ""),
      series.map((each, at) => h("span", { class: `entry ${each.look}` }, h("i", {}), each.name, " ",
        h("b", {}, said ? format(said.values[at]) : total?.values ? format(total.values[at]) : "")))),
    h("svg", {
      class: "plot", viewBox: `0 0 ${width} ${HEIGHT}`, width, height: HEIGHT, tabindex: 0, role: "img",
      "aria-label": `${name}. Arrow keys read the values.`,
      onpointermove: (event) => point(place, event, width),
      onpointerleave: () => move(place, null, false),
      onkeydown: (event) => keys(place, event),
      onblur: () => move(place, null, false),
    }, plot(points, series, format, width, cursor, scale(points, series, whole))),
    shown ? null : h("p", { class: "empty over" }, empty),
  );
}

function plot(points, series, format, width, cursor, high) {
  const across = width - LEFT - RIGHT;
  const step = across / Math.max(1, points.length);
  const x = (at) => LEFT + step * at;
  const y = (value) => TOP + (HEIGHT - TOP - BOTTOM) * (1 - value / high);
  return [
    [0, 0.5, 1].map((share) => h("g", { class: "grid" },
      h("line", { x1: LEFT, x2: width - RIGHT, y1: line(y(high * share)), y2: line(y(high * share)) }),
      h("text", { x: LEFT - 8, y: y(high * share) + 4, "text-anchor": "end" }, format(high * share)))),
    points.map((each, at) => each.tick && h("text", {
      class: "tick", key: `t${at}`, x: x(at) + step / 2, y: HEIGHT - 6,
      "text-anchor": at < 2 ? "start" : at > points.length - 3 ? "end" : "middle" }, each.tick)),
    cursor === null ? null : h("rect", { class: "cursor", key: "cursor", x: x(cursor), y: TOP, width: step, height: HEIGHT - TOP - BOTTOM }),
    columns(points, series, x, y, step, high),
    series.map((each, at) => each.kind === "line" && lines(points, at, each.look, x, y, step)),
  ];
}

/** A round number that no value or stack exceeds. */
function scale(points, series, whole) {
  let high = 0;
  for (const { values } of points) {
    let stack = 0;
    series.forEach((each, at) => {
      if (each.kind === "bar") stack += values[at] ?? 0;
      else high = Math.max(high, values[at] ?? 0);
    });
    high = Math.max(high, stack);
  }
  if (whole) high = Math.max(high, 2);
  if (high <= 0) return 1;
  const size = 10 ** Math.floor(Math.log10(high));
  // Half of what can only be whole must be whole too.
  const factors = whole ? [1, 2, 4, 6, 8, 10] : [1, 1.5, 2, 3, 4, 6, 8, 10];
  return factors.map((factor) => factor * size).find((each) => each >= high * 0.999);
}

function columns(points, series, x, y, step, high) {
  const gap = step > 6 ? 2 : step > 3 ? 1 : 0;
  return points.map((each, at) => {
    let under = 0;
    return series.map((one, which) => {
      const value = one.kind === "bar" ? each.values[which] ?? 0 : 0;
      if (value <= 0) return null;
      const top = y(Math.min(high, under + value));
      const bar = h("rect", { class: `bar ${one.look}`, key: `b${at}-${which}`, x: x(at) + gap / 2, y: top, width: Math.max(1, step - gap), height: Math.max(1, y(under) - top), rx: step > 8 ? 1.5 : 0 });
      under += value;
      return bar;
    });
  });
}

/** A path through the known values, broken at gaps; a value alone between gaps is a dot. */
function lines(points, which, look, x, y, step) {
  let path = "";
  const dots = [];
  points.forEach(({ values }, at) => {
    if (!known(values[which])) return;
    const [px, py] = [(x(at) + step / 2).toFixed(1), y(values[which]).toFixed(1)];
    const joined = at > 0 && known(points[at - 1].values[which]);
    path += `${joined ? "L" : "M"}${px} ${py}`;
    if (!joined && !(at + 1 < points.length && known(points[at + 1].values[which]))) dots.push([px, py]);
  });
  return h("g", { class: `line ${look}`, key: look }, h("path", { d: path }), dots.map(([cx, cy]) => h("circle", { cx, cy, r: 2.5 })));
}

const line = (value) => Math.round(value) + 0.5;

function point(place, event, width) {
  const box = event.currentTarget.getBoundingClientRect();
  const { points } = looks.get(place).spec;
  const share = ((event.clientX - box.left) * (width / box.width) - LEFT) / (width - LEFT - RIGHT);
  move(place, share < 0 || share >= 1 ? null : Math.floor(share * points.length), false);
}

function keys(place, event) {
  const look = looks.get(place);
  const last = look.spec.points.length - 1;
  const from = look.cursor ?? last + 1;
  const to = { ArrowLeft: from - 1, ArrowRight: from + 1, Home: 0, End: last, Escape: null }[event.key];
  if (to === undefined) return;
  event.preventDefault();
  move(place, to === null ? null : Math.max(0, Math.min(last, to)), true);
}

function move(place, cursor, keyed) {
  const look = looks.get(place);
  if (look.cursor === cursor) return;
  look.cursor = cursor;
  look.keyed = keyed;
  redraw(place);
}
