// The head of the page, its tiles, and the charts.

import { chart } from "./charts.js";
import { bind, byId, draw, h } from "./dom.js";
import { known, milliseconds, minute, number, percent, setZone, short, span, usd, zoneName } from "./format.js";

const MINUTES = 60;

export function drawHead({ router, now, actions, providers }) {
  setZone(router.timezone);
  byId("health").dataset.state = router.health;
  const began = span(now - router.began_at) + (router.workers > 1 ? ` · ${number(router.workers)} workers` : "");
  const words = {
    version: router.version,
    profile: router.profile,
    uptime: began,
    requests_total: number(router.requests_total),
    health_text: router.health,
    health_why: router.ledger_ok ? router.why : "the ledger cannot be written; what is known in memory serves on",
    display_timezone: zoneName(),
    allow_paid_state: `times · paid providers are ${router.allow_paid ? "allowed" : "off"}`,
  };
  for (const [name, text] of Object.entries(words)) bind(name, text);
  bind("usage_mix", mix(providers));
  drawGates(router, actions);
}

/** Shares of answers by where they came from. */
function mix(providers) {
  const share = (place) => providers.filter((each) => each.place === place).reduce((all, each) => all + (each.share ?? 0), 0);
  return ["local", "remote", "paid"].map((place) => [place, share(place)]).filter(([, part]) => part > 0).map(([place, part]) => `${place === "remote" ? "free" : place} ${percent(part)}`).join(" · ") || "–";
}

function drawGates(router, actions) {
  const total = router.hour_ok + router.hour_failed;
  bind("fallback_rate", percent(total ? router.hour_again / total : null));
  bind("fallback_fraction", `${number(router.hour_again)} of ${number(total)} requests, last hour`);
  const count = (names) => actions.filter((each) => names.includes(each.event));
  const sum = (found) => number(found.reduce((all, each) => all + each.count, 0));
  const spread = (found) => found.map((each) => `${each.provider || each.plugin} ${each.count}`).slice(0, 4).join(" · ");
  const degraded = count(["capability-degraded"]);
  const filtered = actions.filter((each) => each.event.startsWith("output-filter"));
  bind("paid_gate_blocked", sum(count(["skip-paid-provider"])));
  bind("degraded_total", sum(degraded));
  bind("degraded_breakdown", spread(degraded) || "fields that a provider cannot take");
  bind("filters_total", sum(filtered));
  bind("filters_breakdown", spread(filtered) || "times an answer was cleaned");
}

export function drawTiles({ router, live, costs, now, minutes }) {
  const total = router.hour_ok + router.hour_failed;
  const today = costs.days.at(-1);
  const month = costs.months.at(-1);
  const tokens = minutes.reduce((all, each) => all + each[7], 0);
  draw(byId("tiles"), [
    tile("Requests", number(total + router.hour_left), "last hour"),
    tile("Answered", percent(total ? router.hour_ok / total : null), `${number(router.hour_failed)} failed`, router.hour_failed ? "bad" : null),
    tile("95 % done within", milliseconds(router.hour_p95_ms), "last hour"),
    tile("Tokens out", short(tokens), "last hour"),
    tile("In flight", number(router.live), live.length ? `longest ${span(now - live[0].began_at)}` : "nobody waits"),
    tile("Cost today", usd(today?.cost_usd), besides(today)),
    tile("This month", usd(month?.cost_usd), besides(month)),
  ]);
}

/** What a sum of dollars leaves out comes before what it saved: an unknown price is not nothing. */
function besides(spent) {
  if (!spent) return "";
  return spent.unpriced ? `${number(spent.unpriced)} attempts unpriced` : `saved ${usd(spent.savings_usd)}`;
}

const tile = (name, value, note, look) => h("div", { class: look ? `tile ${look}` : "tile" }, h("h3", {}, name), h("p", { class: "big" }, value), h("p", { class: "note" }, note));

/** The last hour, minute by minute, also those in which nothing came. */
function hour(now, minutes) {
  const last = Math.floor(now / 60);
  const found = new Map(minutes.map((each) => [each[0], each]));
  return Array.from({ length: MINUTES }, (_, at) => {
    const number = last - MINUTES + 1 + at;
    return { at: number * 60, values: found.get(number) ?? [number, 0, 0, 0, 0, null, null, 0], tick: number % 15 === 0 ? minute(number * 60) : null };
  });
}

export function drawTraffic({ now, minutes }) {
  const points = hour(now, minutes);
  const sum = (which) => points.reduce((all, each) => all + each.values[which], 0);
  const before = points.at(-2).values;
  bind("rate_last", number(before[1] + before[2] + before[3]));
  chart(byId("rate"), {
    name: "Requests a minute in the last hour",
    points: points.map((each) => ({ label: minute(each.at), tick: each.tick, values: each.values.slice(1, 4) })),
    series: [{ name: "answered", kind: "bar", look: "main" }, { name: "failed", kind: "bar", look: "bad" }, { name: "left by the client", kind: "bar", look: "dim" }],
    format: short,
    whole: true,
    total: { label: "last hour", values: [sum(1), sum(2), sum(3)] },
    empty: "no request in the last hour",
  });
  const last = [...points].reverse().find((each) => known(each.values[5]));
  chart(byId("latency"), {
    name: "Seconds to the end of an answer in the last hour",
    points: points.map((each) => ({ label: minute(each.at), tick: each.tick, values: each.values.slice(5, 7) })),
    series: [{ name: "p50", kind: "line", look: "main" }, { name: "p95", kind: "line", look: "second" }],
    format: milliseconds,
    total: last && { label: minute(last.at), values: last.values.slice(5, 7) },
    empty: "nothing to measure yet",
  });
}

export function drawCost({ costs }, period) {
  const by = period === "days" ? "day" : "month";
  const groups = costs[period];
  const sum = (key) => groups.reduce((all, each) => all + each[key], 0);
  const tick = (at) => (period === "days" ? (groups.length - 1 - at) % 7 === 0 : (groups.length - 1 - at) % 3 === 0);
  chart(byId("cost"), {
    name: `Cost by ${by}, in US dollars`,
    points: groups.map((each, at) => ({ label: each[by], tick: tick(at) ? each[by].slice(period === "days" ? 5 : 2) : null, values: [each.cost_usd, each.savings_usd] })),
    // Stacked: the whole column is what it would have cost without a cache.
    series: [{ name: "cost", kind: "bar", look: "main" }, { name: "saved by caches", kind: "bar", look: "ghost" }],
    format: usd,
    total: { label: `${groups.length} ${period}`, values: [sum("cost_usd"), sum("savings_usd")] },
    empty: costs.error ?? "nothing was spent",
  });
}
