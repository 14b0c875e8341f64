// What HTML cannot do by itself: theme, paper, keys, filters that live in the URL, and parts that follow the house live.
const root = document.documentElement;
const $ = (selector, from = document) => from.querySelector(selector);
const $$ = (selector, from = document) => [...from.querySelectorAll(selector)];

// ── theme and paper ──
const saved = localStorage.getItem("yw-theme");
if (saved) root.dataset.theme = saved;
let screenTheme = "";
addEventListener("beforeprint", () => { screenTheme = root.dataset.theme; root.dataset.theme = "light"; });
addEventListener("afterprint", () => { root.dataset.theme = screenTheme; });

document.addEventListener("click", (event) => {
  const hit = (selector) => event.target.closest(selector);
  if (hit("[data-theme-toggle]")) {
    root.dataset.theme = root.dataset.theme === "dark" ? "light" : "dark";
    localStorage.setItem("yw-theme", root.dataset.theme);
  }
  if (hit("[data-print]")) print();
  if (hit("[data-copy]")) copy(hit("[data-copy]"));
  if (hit("[data-dialog]")) $(hit("[data-dialog]").dataset.dialog)?.showModal();
});

// `data-copy` is the text, or "#id" of the element that has it. Without TLS a page has no clipboard, so the old way too.
async function copy(button) {
  const named = button.dataset.copy;
  const text = named.startsWith("#") ? $(named)?.textContent.trim() : named;
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const field = Object.assign(document.createElement("textarea"), { value: text });
    button.after(field);
    field.select();
    document.execCommand("copy");
    field.remove();
    button.focus();
  }
  button.classList.add("done");
  setTimeout(() => button.classList.remove("done"), 1500);
}

// On a narrow screen the year line and the heat map begin at today, not at the signature.
for (const line of $$("[data-center]")) line.scrollLeft = Number(line.dataset.center) * line.scrollWidth - line.clientWidth / 2;

// ── keys ──
let chord = -Infinity; // when `g` was pressed
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || event.defaultPrevented) return;
  if (event.target.closest("input, textarea, select, [contenteditable], dialog[open]") || $("dialog[open]:modal")) return;
  const key = event.key;
  const going = performance.now() - chord < 1500;
  chord = key === "g" && !going ? performance.now() : -Infinity;
  const act = going
    ? () => $(`.rail a[data-key="${CSS.escape(key)}"]`)?.click()
    : { "/": search, "?": () => $("#keys")?.showModal(), t: () => $("[data-theme-toggle]")?.click(), j: () => step(1),
        k: () => step(-1), a: () => $("[data-ack]", row() ?? $("main"))?.focus(), Enter: row() === event.target ? open : null }[key];
  if (!act) return;
  event.preventDefault();
  act();
});
function search() {
  const field = $("[data-search]") ?? $("main input[type=search]");
  field?.focus();
  field?.select();
}
const row = () => document.activeElement?.closest("[data-rows] > *");
const open = () => ($("a[href]", row()) ?? { click: () => row().dataset.href && location.assign(row().dataset.href) }).click();
function step(by) {
  const rows = $$("[data-rows] > *").filter((one) => one.offsetParent);
  const at = rows.indexOf(row());
  const next = rows[at < 0 ? (by > 0 ? 0 : rows.length - 1) : at + by];
  if (!next) return;
  focusOn(next);
  next.scrollIntoView({ block: "nearest" });
}
function focusOn(element) {
  if (element.tabIndex < 0 && !element.hasAttribute("tabindex")) element.tabIndex = -1;
  element.focus({ preventScroll: true });
}

// ── the reader's place, over a swap: focus, caret and scroll ──
const mark = (e) => e.id ? `#${CSS.escape(e.id)}`
  : e.dataset.href ? `[data-href="${CSS.escape(e.dataset.href)}"]`
  : e.matches("a[href]") ? `a[href="${CSS.escape(e.getAttribute("href"))}"]`
  : e.name ? `${e.localName}[name="${CSS.escape(e.name)}"]` : "";
function place(part) {
  const active = document.activeElement;
  const focus = part.contains(active) && mark(active);
  const caret = focus && /search|text/.test(active.type) ? active.selectionStart : null;
  const scrolls = $$("[data-keep-scroll][id], .scroll[id]", part).map((e) => [e.id, e.scrollLeft, e.scrollTop]);
  const opened = $$("details[open][id]", part).map((e) => e.id);
  return () => {
    for (const id of opened) document.getElementById(id)?.setAttribute("open", "");
    for (const [id, left, top] of scrolls) document.getElementById(id)?.scrollTo(left, top);
    const back = focus && $(focus, $("main"));
    if (!back || back === document.activeElement) return;
    focusOn(back);
    if (caret !== null) back.setSelectionRange(caret, caret);
  };
}

// ── filters live in the URL: a change fetches the page that the form names, and the address becomes that page's ──
let asked = 0, shown = location.pathname + location.search;
async function show(url, push) {
  const mine = ++asked;
  try {
    const answer = await fetch(url, { headers: { Accept: "text/html" } });
    const html = answer.ok && !answer.redirected ? await answer.text() : "";
    if (mine !== asked || typing) return; // a later change overtook it
    const page = new DOMParser().parseFromString(html, "text/html");
    if (!$("main", page)) { location.assign(url); return; }
    const back = place($("main"));
    $("main").replaceWith(document.adoptNode($("main", page)));
    document.title = page.title;
    if (push) history.pushState({}, "", url);
    shown = location.pathname + location.search;
    htmx.process($("main"));
    back();
  } catch { location.assign(url); }
}
function filter(form) {
  const said = [...new FormData(form)].filter(([, value]) => value !== "");
  typing = 0;
  const url = (form.getAttribute("action") || location.pathname) + (said.length ? `?${new URLSearchParams(said)}` : "");
  if (url !== shown) show(url, true);
}
let typing = 0;
document.addEventListener("input", (event) => {
  const form = event.target.closest("form[data-filters]");
  if (!form || event.isComposing) return;
  clearTimeout(typing);
  typing = setTimeout(filter, event.target.matches("select, [type=checkbox], [type=radio]") ? 0 : 400, form);
});
document.addEventListener("submit", (event) => {
  if (!event.target.matches("form[data-filters]")) return;
  event.preventDefault();
  clearTimeout(typing);
  filter(event.target);
});
addEventListener("popstate", () => { if (location.pathname + location.search !== shown) show(location.href, false); });

// ── live (ADR 9): `/events` says which topics changed; a part with `data-live` and `hx-get` is then fetched again.
// Without a stream every part is fetched every POLL ms. A part is left alone while somebody is busy in it.
const POLL = 4000, SLOW = 60000, GAP = 1000, STALE = 20000, TIMEOUT = 15000;
const chip = $("[data-live-state]"), eventsUrl = root.dataset.events;
const parts = () => $$("[data-live][hx-get]");
const known = new WeakMap();
const of = (part) => known.get(part) ?? known.set(part, { last: performance.now(), cost: 0 }).get(part);
const now = () => performance.now();
const asking = (state) => state.began && now() - state.began < TIMEOUT + GAP;
let stream = null, mode = "polling", ids = true, beat = 15000, heard = 0, retry = 0, again = 0, hiddenAt = 0, warned = false;

const live = (event) => event.detail.elt.matches?.("[data-live][hx-get]") && event.detail.requestConfig?.triggeringEvent?.type === "live";
const edited = (f) => f.type === "hidden" || f.form?.matches("[data-filters]") ? false
  : f.options ? [...f.options].some((o) => o.defaultSelected) ? [...f.options].some((o) => o.selected !== o.defaultSelected) : f.selectedIndex > 0
  : f.checked !== f.defaultChecked || f.value !== f.defaultValue;
function busy(part) {
  const selection = getSelection();
  return $("dialog[open], :popover-open, .htmx-request, :active", part)
    || (part.contains(document.activeElement) && document.activeElement.matches("input, textarea, select, [contenteditable]"))
    || $$("input, textarea, select", part).some(edited)
    || (selection && !selection.isCollapsed && part.contains(selection.anchorNode));
}
function want(part) {
  const state = of(part);
  state.dirty = true;
  if (state.timer || asking(state)) return;
  const rest = state.last + Math.max(GAP, Math.min(3 * state.cost, 2 * POLL)) - now(); // a slow server is asked less often
  state.timer = setTimeout(get, Math.max(200 + 200 * Math.random(), state.failed ? POLL : rest), part, state);
}
function get(part, state) {
  state.timer = 0;
  if (!part.isConnected || document.hidden) return;
  if (busy(part)) { state.timer = setTimeout(get, GAP, part, state); return; }
  state.dirty = false;
  state.began = now();
  htmx.trigger(part, "live");
}
document.body.addEventListener("htmx:beforeProcessNode", (event) => {
  if (event.target.matches("[data-live][hx-get]")) event.target.setAttribute("hx-trigger", "live consume");
});
document.body.addEventListener("htmx:configRequest", (event) => {
  if (event.detail.triggeringEvent?.type !== "live") return;
  event.detail.timeout = TIMEOUT;
  event.detail.headers["YW-Live"] = "1"; // nobody did anything: the session's idle time goes on
  const seen = of(event.detail.elt).mark;
  if (seen) event.detail.headers["YW-Seen"] = seen;
});
document.body.addEventListener("htmx:beforeSwap", (event) => {
  const part = event.detail.target;
  const state = of(part);
  if (live(event) && busy(event.detail.elt)) { event.detail.shouldSwap = false; state.held = true; return; }
  state.back = place(part);
});
document.body.addEventListener("htmx:afterSwap", (event) => of(event.detail.target).back?.());
document.body.addEventListener("htmx:afterRequest", (event) => {
  const { xhr, elt, successful } = event.detail;
  if (xhr.status === 401) location.reload();
  if (!live(event)) return;
  const state = of(elt);
  state.cost = now() - state.began;
  state.last = now();
  state.began = 0;
  state.failed = successful ? 0 : state.failed || now();
  if (successful && !state.held) state.mark = xhr.getResponseHeader("YW-Mark");
  if (successful && mode === "cut") { retry = 0; again = Math.min(again, now() + GAP); }
  if (!stream || !heard) say(successful || (xhr.status && xhr.status < 500) ? "polling" : "cut");
  if (state.held || !successful || state.dirty) { state.held = false; want(elt); }
});

function say(next) {
  mode = next;
  if (!chip || chip.dataset.liveState === next) return;
  chip.dataset.liveState = next;
  $("span", chip).textContent = chip.dataset[`say${next[0].toUpperCase()}${next.slice(1)}`];
  chip.classList.toggle("ok", next === "live");
  chip.classList.toggle("bad", next === "cut");
}
function connect() {
  if (stream || document.hidden || !eventsUrl) return;
  stream = new EventSource(eventsUrl);
  heard = 0;
  const began = now();
  const on = (name, act) => stream.addEventListener(name, (event) => { heard = now(); act(JSON.parse(event.data)); });
  on("hello", (said) => {
    ({ ids } = said);
    beat = said.beat * 1000;
    if (again || began > 8000) parts().forEach(want); // what happened while nobody listened; the server looks back a little
    again = retry = 0;
    say("live");
  });
  on("beat", () => {});
  on("change", ({ topics }) => {
    const told = new Set(topics);
    const hit = (topic) => told.has(topic) || (topic.includes(":") && (told.has(topic.split(":")[0] + (ids ? ":*" : ""))));
    for (const part of parts()) if (part.dataset.live.split(" ").some(hit)) want(part);
  });
  on("end", () => drop(0));
  stream.onerror = () => drop(heard ? 1000 : 0);
}
// No stream: ask at once, and try for a stream again, ever less often.
function drop(soon) {
  stream?.close();
  stream = null;
  again = now() + (soon || Math.min(60000, 3000 * 2 ** retry++)) * (1 + Math.random() / 4);
  say(mode === "cut" ? "cut" : "polling");
  parts().forEach(want);
}
function tick() {
  const all = parts();
  if (chip) chip.hidden = !all.length;
  if (!all.length || document.hidden) return;
  if (stream && heard && now() - heard > 2 * beat + 2000) drop(0);
  if (!stream && now() >= again) connect();
  for (const part of all) {
    const state = of(part);
    if (state.dirty ? !state.timer && !asking(state) : now() - state.last > (mode === "live" ? SLOW : POLL)) want(part);
  }
  const since = Math.min(...all.map((part) => of(part).failed || Infinity));
  const stale = $("#stale"), seconds = Math.floor((now() - since) / 1e4) * 10;
  const old = seconds * 1000 >= STALE;
  if (stale && (old || warned)) { // what somebody else shows there is not ours to hide
    stale.hidden = !old;
    const said = stale.dataset.say.replace("{n}", seconds);
    if (old && stale.textContent !== said) stale.textContent = said;
  }
  warned = old;
}
// A page nobody looks at keeps no stream: a browser has six connections for all its tabs (HTTP/1.1).
document.addEventListener("visibilitychange", () => {
  if (document.hidden) { hiddenAt = now(); setTimeout(rest, 5000); return; }
  if (!stream && hiddenAt) { again = 1; parts().forEach(want); }
  tick();
});
const rest = () => { if (document.hidden && stream) { stream.close(); stream = null; } };
addEventListener("pagehide", () => { stream?.close(); stream = null; });
addEventListener("pageshow", (event) => { if (event.persisted) { again = 1; parts().forEach(want); } });
setInterval(tick, 1000);
tick();
