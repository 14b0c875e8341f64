// The few things HTML cannot do by itself: theme, print, keys, the place where one was reading, the live state.
const root = document.documentElement;
const saved = localStorage.getItem("yw-theme");
if (saved) root.dataset.theme = saved;

document.addEventListener("click", (event) => {
  if (event.target.closest("[data-theme-toggle]")) {
    root.dataset.theme = root.dataset.theme === "dark" ? "light" : "dark";
    localStorage.setItem("yw-theme", root.dataset.theme);
  }
  if (event.target.closest("[data-print]")) window.print();
});

document.addEventListener("keydown", (event) => {
  if (event.target.matches("input, textarea, select") || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "t") document.querySelector("[data-theme-toggle]")?.click();
});

// Paper is light whatever the screen is.
let screen = "";
window.addEventListener("beforeprint", () => { screen = root.dataset.theme; root.dataset.theme = "light"; });
window.addEventListener("afterprint", () => { root.dataset.theme = screen; });

// On a narrow screen the year line and the heat map begin at today, not at the signature.
for (const line of document.querySelectorAll("[data-center]")) {
  line.scrollLeft = Number(line.dataset.center) * line.scrollWidth - line.clientWidth / 2;
}

// A live refresh leaves the reader where they were: sideways scroll is kept by id (htmx keeps the focus by id itself).
const places = new Map();
document.body.addEventListener("htmx:beforeSwap", () => {
  for (const part of document.querySelectorAll("[data-keep-scroll]")) places.set(part.id, part.scrollLeft);
});
document.body.addEventListener("htmx:afterSwap", () => {
  for (const part of document.querySelectorAll("[data-keep-scroll]")) part.scrollLeft = places.get(part.id) ?? 0;
});

// When the poll stops answering, the page says so instead of looking alive.
const live = document.querySelector("[data-live]");
if (live) {
  const say = (state) => {
    if (live.dataset.live === state) return;
    live.dataset.live = state;
    live.querySelector("span").textContent = live.dataset[state];
    live.classList.toggle("ok", state === "polling");
    live.classList.toggle("bad", state === "cut");
  };
  document.body.addEventListener("htmx:afterRequest", (event) => say(event.detail.successful ? "polling" : "cut"));
}
