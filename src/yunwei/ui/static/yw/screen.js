// The wall: a clock that runs on between two looks, and a second watch over the picture's age, apart from yw.js: a wall
// that stands still must say so even when the script that should have noticed is what broke.
const clock = document.getElementById("clock");
const stale = document.getElementById("stale");
const LIMIT = 180000; // a living wall is fetched at least every minute
const start = performance.now();
let fresh = start;

const hands = new Intl.DateTimeFormat("en-GB", { timeZone: clock.dataset.zone, hour: "2-digit", minute: "2-digit", second: "2-digit" });
document.body.addEventListener("htmx:afterRequest", (event) => {
  if (event.detail.elt.id === "wall" && event.detail.successful) fresh = performance.now();
});
document.addEventListener("visibilitychange", () => { if (!document.hidden) fresh = Math.max(fresh, performance.now() - LIMIT / 2); });

function tick() {
  clock.textContent = hands.format(Number(clock.dataset.at) + performance.now() - start);
  const age = performance.now() - fresh;
  if (!document.hidden && age > LIMIT) {
    stale.hidden = false;
    stale.textContent = stale.dataset.say.replace("{n}", Math.floor(age / 1e4) * 10);
  }
}
tick();
setInterval(tick, 1000);
