// Tables that sort by a press on a column's head, and that become cards where the window is narrow.

import { draw, h } from "./dom.js";

const orders = new Map();

/** Draw into `place`. `columns` are {id, name, cell(row), by?(row), num?, wide?, words?}; `by` makes a column sortable. Rows keep the order
 * given until somebody sorts. `key(row)` says who a row is. */
export function table(place, { label, columns, rows, key, empty, row: props }) {
  const order = orders.get(place);
  const column = order && columns.find((each) => each.id === order.id);
  const sorted = column ? [...rows].sort((one, other) => order.sign * compare(column.by(one), column.by(other))) : rows;
  const again = () => table(place, { label, columns, rows, key, empty, row: props });
  draw(
    place,
    h("table", { "aria-label": label },
      h("thead", {}, h("tr", {}, columns.map((each) => head(place, each, order, again)))),
      h("tbody", {}, sorted.map((row) => h("tr", { key: key(row), ...props?.(row) },
        columns.map((each) => h("td", { class: [each.num && "num", each.wide && "wide", each.words && "words"].filter(Boolean).join(" ") || null, "data-label": each.name }, each.cell(row))))))),
    rows.length ? null : h("p", { class: "empty" }, empty),
  );
}

function head(place, column, order, again) {
  const mine = order?.id === column.id;
  const sort = mine ? (order.sign > 0 ? "ascending" : "descending") : "none";
  const press = () => {
    // First the largest of numbers and the first of names, then the other way round, then as it came.
    const first = column.num ? -1 : 1;
    if (!mine) orders.set(place, { id: column.id, sign: first });
    else if (order.sign === first) orders.set(place, { id: column.id, sign: -first });
    else orders.delete(place);
    again();
  };
  return h("th", { scope: "col", class: column.num ? "num" : null, "aria-sort": column.by ? sort : null },
    column.by ? h("button", { type: "button", class: "sort", onclick: press }, column.name, h("span", { class: "arrow", "aria-hidden": "true" }, mine ? (order.sign > 0 ? "↑" : "↓") : "")) : column.name);
}

/** Unknown comes after everything known, whichever way is up. */
function compare(one, other) {
  if (one === other) return 0;
  if (one === null || one === undefined) return -1;
  if (other === null || other === undefined) return 1;
  return one < other ? -1 : 1;
}
