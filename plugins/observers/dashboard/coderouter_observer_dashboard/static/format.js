// Numbers and times as people read them.

let zone;
const clocks = new Map();

/** Show times in this zone from now on; null is the zone of whoever looks. */
export function setZone(name) {
  if (zone === name) return;
  zone = name ?? undefined;
  clocks.clear();
}

export const zoneName = () => zone ?? Intl.DateTimeFormat().resolvedOptions().timeZone;

function clock(kind, options) {
  if (!clocks.has(kind)) {
    const settings = { ...options, timeZone: zone, hourCycle: "h23" };
    clocks.set(kind, new Intl.DateTimeFormat("en-GB", settings));
  }
  return clocks.get(kind);
}

const at = (seconds) => new Date(seconds * 1000);
export const time = (seconds) => clock("time", { hour: "2-digit", minute: "2-digit", second: "2-digit" }).format(at(seconds));
export const minute = (seconds) => clock("minute", { hour: "2-digit", minute: "2-digit" }).format(at(seconds));
export const moment = (seconds) => clock("moment", { dateStyle: "medium", timeStyle: "medium" }).format(at(seconds));

const plain = new Intl.NumberFormat("en-US");
const cents = new Intl.NumberFormat("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 2 });

export const number = (value) => (known(value) ? plain.format(value) : "–");

export function short(value) {
  if (!known(value)) return "–";
  for (const [size, unit] of [[1e9, "G"], [1e6, "M"], [1e3, "k"]]) {
    if (value >= 10 * size || (value >= size && unit !== "k")) return `${(value / size).toFixed(1)} ${unit}`;
  }
  return plain.format(value >= 100 ? Math.round(value) : Math.round(value * 10) / 10);
}

/** Dollars: to the cent from a dollar on, finer below. */
export function usd(value) {
  if (!known(value)) return "–";
  if (value === 0) return "$0";
  if (value >= 1) return `$${cents.format(value)}`;
  return value >= 0.0001 ? `$${value.toFixed(4)}` : "<$0.0001";
}

export function percent(value) {
  if (!known(value)) return "–";
  const of100 = value * 100;
  return `${of100 === 100 || of100 === 0 ? of100 : of100 >= 99.95 || of100 < 10 ? of100.toFixed(1) : Math.round(of100)} %`;
}

export function seconds(value) {
  if (!known(value)) return "–";
  if (value < 0.9995) return `${Math.round(value * 1000)} ms`;
  return value < 60 ? `${value.toFixed(value < 10 ? 2 : 1)} s` : span(value);
}

export const milliseconds = (value) => (known(value) ? seconds(value / 1000) : "–");

/** A length of time in its two largest units. */
export function span(value) {
  const whole = Math.max(0, Math.round(value));
  const parts = [[Math.floor(whole / 86400), "d"], [Math.floor(whole / 3600) % 24, "h"], [Math.floor(whole / 60) % 60, "min"], [whole % 60, "s"]];
  const first = parts.findIndex(([count]) => count > 0);
  if (first < 0) return "0 s";
  return parts.slice(first, first + 2).filter(([count]) => count > 0).map(([count, unit]) => `${count} ${unit}`).join(" ");
}

export function bytes(value) {
  return value < 1024 ? `${value} B` : value < 1048576 ? `${(value / 1024).toFixed(1)} KiB` : `${(value / 1048576).toFixed(1)} MiB`;
}

export const known = (value) => value !== null && value !== undefined && !Number.isNaN(value);
