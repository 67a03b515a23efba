// The connection to the router's news: read with fetch, so that a key can be sent with it.

const KEY = "coderouter-key";
const QUIET_MS = 10_000;
const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 10_000;

let held = null;

/** The key of this tab; kept by the browser until the tab is closed, where it lets us. */
export function key() {
  try {
    return sessionStorage.getItem(KEY) ?? held;
  } catch {
    return held;
  }
}

export function keep(value) {
  held = value;
  try {
    sessionStorage.setItem(KEY, value);
  } catch {
    // Storage is switched off: the key lives as long as the page.
  }
}

/** Ask this router, with the key where there is one. */
export function ask(path, options = {}) {
  const headers = key() ? { authorization: `Bearer ${key()}` } : {};
  return fetch(path, { ...options, headers, cache: "no-store", credentials: "omit", redirect: "error" });
}

/** Follow the news for ever. `told(kind, data)` gets each; `state(word, since, nextMs)` says how the connection is;
 * `locked(refused)` resolves when a key was given. */
export async function follow({ told, state, locked }) {
  let since = null;
  let wait = FIRST_WAIT_MS;
  for (;;) {
    try {
      const answer = await open();
      if (answer.response.status === 401) {
        state("locked");
        await locked(key() !== null);
        continue;
      }
      if (!answer.response.ok) throw new Error(`status ${answer.response.status}`);
      await read(answer, (kind, data) => {
        if (kind === "snapshot") {
          since = null;
          wait = FIRST_WAIT_MS;
          state("live");
        }
        told(kind, data);
      });
    } catch {
      // Whatever ended it, the answer is the same: say so, and come back.
    }
    since ??= Date.now() / 1000;
    state("away", since, wait);
    await sleep(wait * (0.8 + 0.4 * Math.random()));
    wait = Math.min(LONGEST_WAIT_MS, wait * 1.6);
  }
}

async function open() {
  const stop = new AbortController();
  const watch = watchdog(stop);
  try {
    return { response: await ask("/dashboard/stream", { signal: stop.signal }), watch };
  } catch (error) {
    watch.end();
    throw error;
  }
}

/** Ends a connection on which nothing comes: a router that is there says something every second. */
function watchdog(stop) {
  let timer = setTimeout(() => stop.abort(), QUIET_MS);
  return {
    heard() {
      clearTimeout(timer);
      timer = setTimeout(() => stop.abort(), QUIET_MS);
    },
    end: () => clearTimeout(timer),
  };
}

async function read({ response, watch }, told) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      watch.heard();
      const frames = (rest + value).split("\n\n");
      rest = frames.pop();
      for (const frame of frames) {
        const kind = /^event: (.*)$/m.exec(frame)?.[1];
        const data = /^data: (.*)$/m.exec(frame)?.[1];
        if (kind && data) told(kind, JSON.parse(data));
      }
    }
  } finally {
    watch.end();
    reader.cancel().catch(() => {});
  }
}

const sleep = (ms) => new Promise((done) => setTimeout(done, ms));
