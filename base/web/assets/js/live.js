// Pages that go on by themselves. The page works without: it shows how things were when it was loaded.
// `data-stream` names the address of server-sent events. An event `page` has the page as it is now: its parts marked
// `data-live` take the place of those here. An event `line` has one line of a log, `start` begins the log anew.
const box = document.querySelector("[data-stream]"), badge = document.querySelector("[data-stream-state]");
const button = document.querySelector("[data-stream-pause]"), list = document.querySelector("[data-lines]");
const voice = document.querySelector("[data-stream-voice]");
// How many lines stay, and after how many milliseconds without a word the connection counts as lost.
const LINES = 2000, SILENCE = 20000;
let source, paused = false, silence;

function tell(state, kind) {
  badge.textContent = state;
  badge.className = `badge ${kind}`;
}

function heard() {
  clearTimeout(silence);
  silence = setTimeout(() => { tell("Reconnecting", "warn"); open(); }, SILENCE);
  tell("Live", "ok");
}

/** What somebody points at or works in stays as it is until the next time. */
function renew(html) {
  const status = document.getElementById("status")?.textContent;
  for (const part of new DOMParser().parseFromString(html, "text/html").querySelectorAll("[data-live]")) {
    const here = document.getElementById(part.id);
    if (!here || here.innerHTML === part.innerHTML || here.matches(":focus-within") || here.querySelector(":popover-open, dialog[open], details[open], .plots:hover")) continue;
    here.replaceChildren(...part.childNodes);
    here.dispatchEvent(new CustomEvent("renewed", { bubbles: true }));
  }
  const now = document.getElementById("status")?.textContent;
  if (now !== status) voice.textContent = `Now ${now}`;
}

function add({ at, text, error }) {
  const line = document.createElement("li"), time = document.createElement("time"), words = document.createElement("span");
  const follows = list.parentElement.scrollHeight - list.parentElement.scrollTop - list.parentElement.clientHeight < 40;
  time.dateTime = at;
  time.textContent = at.slice(11, 19);
  words.textContent = text;
  if (error) words.className = "err";
  line.append(time, " ", words);
  list.append(line);
  while (list.children.length > LINES) list.firstElementChild.remove();
  if (follows) list.parentElement.scrollTop = list.parentElement.scrollHeight;
}

function close() {
  clearTimeout(silence);
  source?.close();
}

function open() {
  close();
  source = new EventSource(box.dataset.stream);
  source.onopen = heard;
  source.onerror = () => tell("Reconnecting", "warn");
  source.addEventListener("alive", heard);
  source.addEventListener("page", event => { heard(); renew(event.data); });
  source.addEventListener("start", () => { heard(); list.replaceChildren(); });
  source.addEventListener("line", event => { heard(); add(JSON.parse(event.data)); });
  source.addEventListener("end", () => { close(); tell("Ended", ""); });
}

button.addEventListener("click", () => {
  paused = !paused;
  button.setAttribute("aria-pressed", paused);
  if (paused) { close(); tell("Paused", ""); } else open();
});
// Nobody looks: nothing is sent. Whoever comes back sees how it is now.
document.addEventListener("visibilitychange", () => { if (!paused) document.hidden ? close() : open(); });
addEventListener("pagehide", close);
if (list) list.parentElement.scrollTop = list.parentElement.scrollHeight;
open();
