// The page: what it knows, when it is drawn, what can be pressed.

import { byId } from "./dom.js";
import { watch } from "./explain.js";
import { time } from "./format.js";
import { follow, keep } from "./link.js";
import { drawCost, drawHead, drawTiles, drawTraffic } from "./overview.js";
import { drawChains, drawProviders } from "./providers.js";
import { drawActions, drawEvents, drawLive, drawRequests } from "./traffic.js";

const MOST_REQUESTS = 200;
const MOST_EVENTS = 300;
const THEMES = ["auto", "light", "dark"];
const THEME = "coderouter-theme";

const known = {};
const choice = { period: "days", level: "info", paused: null };
let numbers = 0;
let due = false;

function told(kind, data) {
  if (kind === "events") known.events = newest([...known.events, ...numbered(data)], MOST_EVENTS);
  else {
    if (kind === "update" && data.requests) data.requests = newest([...known.requests, ...data.requests], MOST_REQUESTS);
    if (data.events) data.events = numbered(data.events);
    Object.assign(known, data);
  }
  drawSoon();
}

// News of several processes come in the order in which each told them, not in that of time.
const newest = (list, most) => list.sort((one, other) => one.at - other.at).slice(-most);
const numbered = (events) => events.map((each) => ({ ...each, number: (numbers += 1) }));

function drawSoon() {
  if (due || !known.router) return;
  due = true;
  requestAnimationFrame(() => {
    due = false;
    drawHead(known);
    drawTiles(known);
    drawTraffic(known);
    drawProviders(known);
    drawChains(known);
    drawLive(known);
    drawRequests(known);
    drawCost(known, choice.period);
    drawActions(known);
    drawEvents({ events: choice.paused ?? known.events }, choice.level);
  });
}

function say(state, since, waitMs) {
  const words = {
    live: "live",
    locked: "a key is needed",
    away: `away since ${time(since ?? 0)}, trying again${waitMs >= 3000 ? ` in ${Math.round(waitMs / 1000)} s` : ""}`,
  };
  const place = byId("link");
  place.dataset.state = state;
  document.body.dataset.link = state;
  if (place.textContent !== words[state]) place.textContent = words[state];
}

/** Ask for a key until one is given. */
function locked(refused) {
  const dialog = byId("locked");
  byId("key-why").textContent = refused ? "That key was not taken. It is one of the router's auth.keys." : "One of its auth.keys. It stays in this tab, and goes to this router only.";
  if (!dialog.open) dialog.showModal();
  dialog.oncancel = (event) => event.preventDefault();
  return new Promise((given) => {
    byId("key-form").onsubmit = (event) => {
      event.preventDefault();
      keep(byId("key").value.trim());
      byId("key").value = "";
      dialog.close();
      given();
    };
  });
}

function wear(theme) {
  if (theme === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  const button = byId("theme");
  button.textContent = theme[0].toUpperCase() + theme.slice(1);
  button.setAttribute("aria-label", `Theme: ${theme === "auto" ? "as the system" : theme}`);
}

function remembered() {
  try {
    return localStorage.getItem(THEME) ?? "auto";
  } catch {
    return "auto";
  }
}

function begin() {
  let theme = THEMES.includes(remembered()) ? remembered() : "auto";
  wear(theme);
  byId("theme").onclick = () => {
    theme = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
    wear(theme);
    try {
      localStorage.setItem(THEME, theme);
    } catch {
      // Storage is switched off: the theme lives as long as the page.
    }
  };
  byId("level").onchange = (event) => {
    choice.level = event.target.value;
    drawSoon();
  };
  byId("pause").onclick = (event) => {
    choice.paused = choice.paused ? null : known.events ?? [];
    event.target.setAttribute("aria-pressed", String(choice.paused !== null));
    event.target.textContent = choice.paused ? "Go on" : "Pause";
    drawSoon();
  };
  for (const button of document.querySelectorAll("[data-period]")) {
    button.onclick = () => {
      choice.period = button.dataset.period;
      for (const each of document.querySelectorAll("[data-period]")) each.setAttribute("aria-pressed", String(each === button));
      drawSoon();
    };
  }
  watch();
  follow({ told, state: say, locked });
}

begin();
