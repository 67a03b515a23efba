// The way of one request: who chose, who was left out, what each attempt took, what it cost.

import { byId, draw, h } from "./dom.js";
import { known, moment, number, seconds, usd } from "./format.js";
import { ask } from "./link.js";
import { outcome } from "./traffic.js";

const PREFIX = "#request=";
const PATIENCE = 4;
const PAUSE_MS = 500;
let opener = null;

/** Follow the fragment of the address: it opens and closes the dialog. */
export function watch() {
  const dialog = byId("explain");
  byId("explain-close").onclick = () => dialog.close();
  dialog.onclick = (event) => event.target === dialog && dialog.close();
  dialog.onclose = () => {
    if (location.hash.startsWith(PREFIX)) history.replaceState(null, "", location.pathname + location.search);
    opener?.focus();
    opener = null;
  };
  addEventListener("hashchange", show);
  show();
}

async function show() {
  if (!location.hash.startsWith(PREFIX)) return byId("explain").close();
  const id = decodeURIComponent(location.hash.slice(PREFIX.length));
  const dialog = byId("explain");
  if (!dialog.open) {
    opener = document.activeElement;
    dialog.showModal();
  }
  const body = byId("explain-body");
  draw(body, h("p", { class: "empty" }, "asking …"));
  try {
    const response = await asked(id);
    if (response.status === 404) return draw(body, h("p", { class: "empty" }, `no way is kept of ${id}: it only counted tokens, or ended before a profile was chosen, or has not ended; or the ledger keeps it no longer`));
    if (!response.ok) return draw(body, h("p", { class: "empty" }, `the router answered with status ${response.status}`));
    const { request_id, facts } = await response.json();
    draw(body, way(request_id, facts));
  } catch {
    draw(body, h("p", { class: "empty" }, "the router cannot be reached"));
  }
}

/** Another process writes down what it served within a second or two: until then it may not be known to this one. */
async function asked(id) {
  for (let tries = PATIENCE; ; tries -= 1) {
    const response = await ask(`/explain/${encodeURIComponent(id)}`);
    if (response.status !== 404 || !tries) return response;
    await new Promise((done) => setTimeout(done, PAUSE_MS));
  }
}

function way(id, facts) {
  const unpriced = facts.attempts.some((each) => !known(each.cost_usd) && each.usage.reported);
  const cost = facts.attempts.reduce((all, each) => all + (each.cost_usd ?? 0), 0);
  const saved = facts.attempts.reduce((all, each) => all + (each.savings_usd ?? 0), 0);
  return [
    h("p", { class: "sum" }, outcome(facts.outcome), ` ${facts.status ?? ""} after ${seconds(facts.seconds)} · ${unpriced ? (cost ? `${usd(cost)} and what is unpriced` : "price unknown") : usd(cost)}${saved ? `, saved ${usd(saved)}` : ""}`),
    h("dl", { class: "pairs" },
      pair("Request", h("code", {}, id)),
      pair("Began", moment(facts.at)),
      pair("Asked", `${facts.model || "no model"} · ${facts.dialect} · ${facts.stream ? "streamed" : "whole"}`),
      facts.session_id ? pair("Session", h("code", {}, facts.session_id)) : null,
      facts.client_key ? pair("Key", facts.client_key) : null,
      pair("Profile", [h("b", {}, facts.profile ?? "none"), h("span", { class: "soft" }, chosen(facts))]),
      known(facts.overhead_ms) ? pair("Own time", `${facts.overhead_ms.toFixed(1)} ms before the answer began`) : null),
    facts.refusal ? h("p", { class: "told bad" }, `declined by ${facts.refusal.plugin}: ${facts.refusal.reason}`) : null,
    h("h3", {}, "Chain"),
    chain(facts),
    h("h3", {}, "Attempts"),
    facts.attempts.length ? waterfall(facts) : h("p", { class: "empty" }, "nobody was asked"),
    facts.error?.message ? h("p", { class: "told bad" }, `${facts.error.kind}: ${facts.error.message}`) : null,
  ];
}

const pair = (name, ...value) => h("div", {}, h("dt", {}, name), h("dd", {}, value));

function chosen(facts) {
  const signals = Object.entries(facts.signals ?? {}).map(([name, value]) => `${name}=${typeof value === "object" ? JSON.stringify(value) : value}`);
  return ` by ${[facts.chosen_by, facts.chosen_word && facts.chosen_word !== facts.profile && `“${facts.chosen_word}”`, ...signals].filter(Boolean).join(" ")}`;
}

function chain(facts) {
  const said = (list, name, word) => list.filter((each) => each.provider === name).map((each) => h("span", { class: "why" }, `${word} by ${each.plugin}: ${each.reason}${each.weight ? ` (weight ${each.weight})` : ""}`));
  const tried = new Set(facts.attempts.map((each) => each.provider));
  return h("ol", { class: "candidates" }, facts.candidates.map((name) => h("li", { key: name, class: tried.has(name) ? "tried" : null },
    h("b", {}, name), said(facts.rejections, name, "left out"), said(facts.demotions, name, "moved back"),
    tried.has(name) || facts.rejections.some((each) => each.provider === name) ? null : h("span", { class: "why" }, "not needed"))));
}

function waterfall(facts) {
  const total = Math.max(facts.seconds, facts.attempts.reduce((all, each) => all + each.seconds, 0), 0.001);
  const share = (value) => `${((100 * value) / total).toFixed(2)}%`;
  let from = Math.max(0, facts.seconds - facts.attempts.reduce((all, each) => all + each.seconds, 0));
  from = Math.min(from, (facts.overhead_ms ?? 0) / 1000);
  return h("ol", { class: "waterfall" }, facts.attempts.map((each) => {
    const vars = { "--from": share(from), "--took": share(each.seconds), "--first": known(each.first_token_s) ? `${((100 * each.first_token_s) / Math.max(each.seconds, 0.0001)).toFixed(2)}%` : "100%" };
    from += each.seconds;
    return h("li", { key: each.number },
      h("div", { class: "row" }, h("b", {}, each.provider), h("span", { class: "soft cut" }, each.provider_model), h("span", { class: "grow" }), outcome(each.outcome), h("span", { class: "num" }, seconds(each.seconds))),
      h("div", { class: `bar ${each.outcome}`, vars, role: "img", "aria-label": `${seconds(each.seconds)}${known(each.first_token_s) ? `, first token after ${seconds(each.first_token_s)}` : ""}` }, h("i", {})),
      h("p", { class: "soft" }, details(each)),
      each.error ? h("p", { class: "told bad" }, [each.status, each.error_kind, each.error].filter(Boolean).join(" ")) : null,
      each.dropped?.length ? h("p", { class: "soft" }, `left out: ${each.dropped.map(([field, why]) => `${field} (${why})`).join(", ")}`) : null);
  }));
}

function details({ first_token_s: first, usage, cost_usd: cost, savings_usd: saved }) {
  const parts = [known(first) ? `first token ${seconds(first)}` : null];
  const prompt = usage.input + usage.cache_read + usage.cache_write_5m + usage.cache_write_1h;
  if (prompt || usage.output) parts.push(`${number(prompt)} tokens in, ${number(usage.output)} out${usage.estimated ? " (estimated)" : ""}`);
  if (usage.cache_read) parts.push(`${number(usage.cache_read)} from the cache`);
  if (known(cost)) parts.push(usd(cost));
  else if (usage.reported) parts.push("price unknown");
  parts.push(saved ? `saved ${usd(saved)}` : null);
  return parts.filter(Boolean).join(" · ");
}
