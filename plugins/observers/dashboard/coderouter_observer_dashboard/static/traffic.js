// Requests in flight and ended, what guards did, and the feed of events.

import { byId, draw, h } from "./dom.js";
import { bytes, known, milliseconds, number, seconds, short, time, usd } from "./format.js";
import { table } from "./table.js";

const LEVELS = ["debug", "info", "warning", "error"];
const PHASES = { choosing: 1, waiting: 2, streaming: 3 };

export function drawLive({ live, now, router }) {
  byId("live-count").textContent = router.live ? `${number(router.live)} under way` : "";
  draw(byId("live"), live.length ? h("ul", { class: "flights" }, live.slice(0, 50).map((each) => flight(each, now))) : h("p", { class: "empty" }, "nothing is in flight"));
}

function flight(each, now) {
  const age = Math.max(0, now - each.began_at);
  const said = each.phase === "streaming" ? `${bytes(each.output_bytes)} sent` : each.phase === "waiting" ? "waiting for the first token" : "choosing";
  return h("li", { key: each.request_id, "data-phase": each.phase },
    h("div", { class: "row" },
      h("b", {}, each.provider ?? "…"), h("span", { class: "soft" }, each.model), h("span", { class: "grow" }),
      each.attempts > 1 ? h("span", { class: "weak" }, `attempt ${each.attempts}`) : null,
      h("span", { class: "num" }, seconds(age))),
    h("div", { class: "steps", role: "img", "aria-label": `phase: ${each.phase}` }, [1, 2, 3].map((step) => h("i", { class: PHASES[each.phase] >= step ? "done" : null }))),
    h("div", { class: "row soft" },
      h("span", {}, said), known(each.first_token_s) ? h("span", {}, `first token ${seconds(each.first_token_s)}`) : null,
      h("span", { class: "grow" }), h("span", {}, [each.profile, each.dialect, each.stream ? "stream" : "whole"].filter(Boolean).join(" · "))));
}

export function drawRequests({ requests }) {
  table(byId("requests"), {
    label: "Requests",
    rows: [...requests].reverse(),
    key: (row) => row.request_id,
    row: (row) => ({ "data-request": row.request_id }),
    empty: "no request has ended yet",
    columns: [
      { id: "at", name: "Ended", by: (row) => row.at, cell: (row) => h("a", { class: "num", href: `#request=${encodeURIComponent(row.request_id)}` }, time(row.at)) },
      { id: "outcome", name: "Outcome", by: (row) => row.outcome, cell: (row) => [outcome(row.outcome), h("span", { class: "soft" }, ` ${row.status ?? ""}`)] },
      { id: "profile", name: "Profile", words: true, by: (row) => row.profile, cell: (row) => row.profile ?? "–" },
      { id: "provider", name: "Provider", words: true, by: (row) => row.provider, cell: (row) => [row.provider ?? "–", row.attempts > 1 ? h("span", { class: "tag weak" }, `${row.attempts} attempts`) : null] },
      { id: "model", name: "Asked for", by: (row) => row.model, cell: (row) => h("span", { class: "soft cut", title: row.model }, row.model || "–") },
      { id: "first", name: "First token", num: true, by: (row) => row.ttft_ms, cell: (row) => milliseconds(row.ttft_ms) },
      { id: "took", name: "Took", num: true, by: (row) => row.duration_ms, cell: (row) => milliseconds(row.duration_ms) },
      { id: "own", name: "Own", num: true, by: (row) => row.overhead_ms, cell: (row) => known(row.overhead_ms) ? `${row.overhead_ms.toFixed(1)} ms` : "–" },
      { id: "in", name: "In", num: true, by: prompt, cell: (row) => short(prompt(row)) },
      { id: "out", name: "Out", num: true, by: (row) => row.output_tokens, cell: (row) => short(row.output_tokens) },
      { id: "cost", name: "Cost", num: true, by: (row) => row.cost_usd, cell: (row) => (row.priced === false ? "unpriced" : usd(row.cost_usd)) },
    ],
  });
}

/** All tokens of the prompt, cached or not. */
const prompt = (row) => row.input_tokens + row.cache_read_tokens + row.cache_write_tokens;

const LOOKS = { ok: "fine", failed: "bad", broken: "bad", refused: "weak", cancelled: "soft" };
export const outcome = (word) => h("span", { class: `outcome ${LOOKS[word] ?? ""}` }, word ?? "–");

export function drawActions({ actions }) {
  table(byId("actions"), {
    label: "What guards and gates did",
    rows: [...actions].sort((one, other) => other.at - one.at),
    key: (row) => [row.event, row.provider, row.plugin].join(" "),
    empty: "no guard had to act",
    columns: [
      { id: "event", name: "Action", words: true, by: (row) => row.event, cell: (row) => [row.event, h("span", { class: "under" }, row.why)] },
      { id: "provider", name: "About", words: true, by: (row) => row.provider, cell: (row) => row.provider || "–" },
      { id: "count", name: "Times", num: true, by: (row) => row.count, cell: (row) => number(row.count) },
      { id: "at", name: "Last", num: true, by: (row) => row.at, cell: (row) => time(row.at) },
    ],
  });
}

export function drawEvents({ events }, level) {
  const least = LEVELS.indexOf(level);
  const shown = events.filter((each) => LEVELS.indexOf(each.level) >= least).slice(-150).reverse();
  draw(byId("events"), shown.length
    ? h("ol", { class: "feed" }, shown.map((each) => h("li", { key: each.number, "data-level": each.level },
        h("time", { class: "num" }, time(each.at)), h("span", { class: "level" }, each.level), h("b", {}, each.name), h("span", { class: "fields" }, fields(each)))))
    : h("p", { class: "empty" }, "no event of this level yet"));
}

function fields(event) {
  const said = Object.entries(event.fields).filter(([, value]) => known(value) && value !== "");
  return said.map(([name, value]) => h("span", { class: "field" }, h("i", {}, `${name}=`), typeof value === "object" ? JSON.stringify(value) : String(value)));
}
