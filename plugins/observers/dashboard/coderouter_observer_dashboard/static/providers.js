// Providers as they are, and chains as they would be tried.

import { byId, draw, h } from "./dom.js";
import { known, number, percent, seconds, short, span, time, usd } from "./format.js";
import { table } from "./table.js";

const MARKS = { healthy: "●", degraded: "◐", slow: "◐", unhealthy: "○", resting: "◌", "over budget": "■", "left out": "–" };

/** A word with a mark of its own, so that colour is not all there is. */
export const state = (word) => h("span", { class: "state", "data-state": word }, h("i", { "aria-hidden": "true" }, MARKS[word] ?? "·"), word);

const meter = (share, look) => h("span", { class: `meter ${look ?? ""}`, vars: { "--share": `${Math.min(100, share * 100).toFixed(1)}%` }, "aria-hidden": "true" });

export function drawProviders({ providers, now }) {
  table(byId("providers"), {
    label: "Providers",
    rows: providers,
    key: (row) => row.name,
    row: (row) => ({ "data-provider": row.name }),
    empty: "no provider is configured",
    columns: [
      { id: "name", name: "Provider", wide: true, by: (row) => row.name, cell: (row) => [h("b", {}, row.name), h("span", { class: "under" }, `${row.model || row.kind} · ${row.place}`)] },
      { id: "state", name: "State", wide: true, by: (row) => row.state, cell: (row) => [state(row.state), h("span", { class: "under" }, because(row, now))] },
      { id: "share", name: "Share", num: true, by: (row) => row.share, cell: (row) => known(row.share) ? [percent(row.share), meter(row.share)] : "–" },
      { id: "success", name: "Success", num: true, by: (row) => row.success, cell: (row) => [h("span", { class: rank(row.success) }, percent(row.success)), h("span", { class: "under" }, row.attempts ? `${number(row.ok)} of ${number(row.ok + row.failed)}` : "")] },
      { id: "ttft", name: "First token", num: true, by: (row) => row.ttft_p50_s, cell: (row) => [seconds(row.ttft_p50_s), h("span", { class: "under" }, known(row.ttft_p95_s) ? `p95 ${seconds(row.ttft_p95_s)}` : "")] },
      { id: "speed", name: "Tokens/s", num: true, by: (row) => row.tokens_per_s, cell: (row) => [short(row.tokens_per_s), h("span", { class: "under" }, row.output_tokens ? `${short(row.output_tokens)} out` : "")] },
      { id: "cache", name: "Cache", num: true, by: (row) => row.cache_share, cell: (row) => percent(row.cache_share) },
      { id: "cost", name: "Cost", num: true, by: (row) => row.cost_usd, cell: (row) => [row.unpriced && !row.cost_usd ? "–" : usd(row.cost_usd), h("span", { class: "under" }, row.unpriced ? `${number(row.unpriced)} unpriced` : row.savings_usd ? `saved ${usd(row.savings_usd)}` : "")] },
      { id: "month", name: "This month", num: true, by: (row) => row.month_usd, cell: (row) => budget(row) },
    ],
  });
}

function because(row, now) {
  if (row.reason || row.until) return [row.reason, row.until ? `until ${time(row.until)}` : ""].filter(Boolean).join(", ");
  const error = row.last_error;
  return error ? `last error ${[error.status, error.kind].filter(Boolean).join(" ")}, ${span(now - error.at)} ago` : "";
}

const rank = (share) => (!known(share) ? "" : share >= 0.95 ? "fine" : share >= 0.8 ? "weak" : "bad");

function budget(row) {
  const cap = row.budget;
  if (!cap) return usd(row.month_usd);
  const share = cap.cap_usd ? cap.spent_usd / cap.cap_usd : 1;
  const held = cap.held_usd ? `, ${usd(cap.held_usd)} held` : "";
  return [usd(cap.spent_usd), h("span", { class: "under" }, `of ${usd(cap.cap_usd)}${held}`), meter(share, share >= 1 ? "bad" : share >= 0.8 ? "weak" : "")];
}

export function drawChains({ chains, budgets, providers }) {
  const states = new Map(providers.map((each) => [each.name, each.state]));
  draw(byId("chains"), chains.map((chain) => h("article", { class: "chain", key: chain.profile },
    h("h3", {}, chain.profile, cap(budgets, chain.profile)),
    h("dl", {},
      h("div", {}, h("dt", {}, "configured"), h("dd", {}, names(chain.configured, states))),
      h("div", {}, h("dt", {}, "now"), h("dd", {}, chain.effective.length ? names(chain.effective, states) : h("b", { class: "bad" }, "nobody is left")))),
    verdicts(chain))));
}

const names = (list, states) => h("ol", { class: "names" }, list.map((name) => h("li", { key: name, "data-state": states.get(name) }, name)));

function cap(budgets, profile) {
  const found = budgets.find((each) => each.scope === "profile" && each.name === profile);
  return found && h("span", { class: "note" }, ` ${usd(found.spent_usd)} of ${usd(found.cap_usd)} this month`);
}

function verdicts({ rejected, demoted }) {
  const until = (each) => (known(each.until_s) && each.until_s > 0 ? `, for ${span(each.until_s)}` : "");
  const all = [
    ...rejected.map((each) => ({ ...each, word: "left out", after: until(each) })),
    ...demoted.map((each) => ({ ...each, word: "moved back", after: ` (weight ${each.weight})` })),
  ];
  return all.length ? h("ul", { class: "verdicts" }, all.map((each) => h("li", {}, h("b", {}, each.provider), ` ${each.word}: ${each.reason}${each.after} `, h("span", { class: "by" }, each.plugin)))) : null;
}
