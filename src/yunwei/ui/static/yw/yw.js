// The few things HTML cannot do by itself: theme, the search key, clocks that run down, the live state in the header.
const root = document.documentElement;
const saved = localStorage.getItem("yw-theme");
if (saved) root.dataset.theme = saved;

document.addEventListener("click", (event) => {
  if (event.target.closest("[data-theme-toggle]")) {
    root.dataset.theme = root.dataset.theme === "dark" ? "light" : "dark";
    localStorage.setItem("yw-theme", root.dataset.theme);
  }
});

document.addEventListener("keydown", (event) => {
  if (event.target.matches("input, textarea, select") || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "t") document.querySelector("[data-theme-toggle]")?.click();
});

// The page says how old it is; when the poll stops answering it says so instead of looking alive.
const live = document.querySelector("[data-live]");
if (live) {
  const say = (state) => { live.dataset.live = state; live.querySelector("span").textContent = live.dataset[state]; live.className = `chip ${state === "polling" ? "ok" : "bad"}`; };
  document.body.addEventListener("htmx:afterOnLoad", () => say("polling"));
  for (const name of ["htmx:sendError", "htmx:responseError", "htmx:timeout"]) document.body.addEventListener(name, () => say("cut"));
}
