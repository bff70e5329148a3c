// Comfort for pages that all work without it: copy, theme, shortcuts, dialogs, times, chart crosshair.
// No inline handlers and no evaluated text, so that the Content-Security-Policy can stay strict.
const one = (selector, from = document) => from.querySelector(selector);
const all = (selector, from = document) => [...from.querySelectorAll(selector)];
const root = document.documentElement;

/** Shows a short message that goes by itself; hovering or focusing it keeps it. */
function say(text, kind = "ok") {
  const toast = one("#toast").content.firstElementChild.cloneNode(true);
  toast.classList.add(kind);
  one("span", toast).textContent = text;
  one(".toasts").append(toast);
  const leave = setTimeout(() => toast.remove(), 6000);
  toast.onpointerenter = toast.onfocusin = () => clearTimeout(leave);
  one("button", toast).onclick = () => toast.remove();
}

async function copy(button) {
  const source = button.dataset.copy ? one(button.dataset.copy) : one("pre, code", button.parentElement);
  try {
    await navigator.clipboard.writeText((source.dataset.secret ?? source.value ?? source.textContent).trim());
    say("Copied to clipboard");
  } catch {
    getSelection().selectAllChildren(source);
    say("Could not copy by itself. The text is selected: press Ctrl+C.", "bad");
  }
}

function switchTheme() {
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
  document.cookie = `theme=${root.dataset.theme}; path=/; max-age=31536000; samesite=lax`;
}

function reveal(button) {
  const secret = one(button.dataset.reveal), open = button.getAttribute("aria-pressed") !== "true";
  button.setAttribute("aria-pressed", open);
  secret.textContent = open ? secret.dataset.secret : "•".repeat(14);
}

document.addEventListener("click", event => {
  const on = name => event.target.closest(`[data-${name}]`);
  let at;
  if ((at = on("copy"))) copy(at);
  else if (on("theme-switch")) switchTheme();
  else if ((at = on("reveal"))) reveal(at);
  else if ((at = on("modal"))) { event.preventDefault(); one(at.dataset.modal).showModal(); }
  else if ((at = on("close"))) { const dialog = at.closest("dialog"); if (dialog.open) dialog.close(); }
  for (const menu of all("details.menu[open]")) if (!menu.contains(event.target)) menu.open = false;
});

// A second press must not send a form twice; coming back by the history button makes it live again.
document.addEventListener("submit", event => {
  const form = event.target, button = event.submitter;
  if (form.method === "dialog" || form.role === "search") return;
  if (form.dataset.sent) return event.preventDefault();
  setTimeout(() => { if (!event.defaultPrevented) { form.dataset.sent = 1; button?.setAttribute("aria-busy", "true"); } });
});
addEventListener("pageshow", () => all("form[data-sent]").forEach(form => {
  delete form.dataset.sent;
  all("[aria-busy]", form).forEach(button => button.removeAttribute("aria-busy"));
}));

// "/" goes to the search box, "g" and a letter to a place of the navigation, Escape closes menus.
let jump = 0;
document.addEventListener("keydown", event => {
  if (event.key === "Escape") for (const menu of all("details.menu[open]")) { menu.open = false; one("summary", menu).focus(); }
  if (root.dataset.shortcuts === "off" || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest("input, textarea, select, [contenteditable]")) return;
  if (event.key === "/") {
    const box = all("input[type=search]").find(input => input.checkVisibility());
    if (box) { event.preventDefault(); box.focus(); box.select(); }
  } else if (event.key === "g") jump = event.timeStamp;
  else if (event.timeStamp - jump < 1500) one(`[data-go="${CSS.escape(event.key)}"]`)?.click();
});

for (const pre of all(".prose pre")) {
  const box = document.createElement("div");
  box.className = "codeblock";
  pre.replaceWith(box);
  box.append(pre, one("#copy").content.cloneNode(true));
}

// The manager chosen once is chosen on every package page.
for (const group of all(".install")) {
  const kept = localStorage.getItem("install"), radio = kept && one(`input[value="${CSS.escape(kept)}"]`, group);
  if (radio) radio.checked = true;
  group.addEventListener("change", event => localStorage.setItem("install", event.target.value));
}

/** "3 days ago" in the words of the server, see `face::text::ago`. */
function ago(seconds) {
  if (seconds < 45) return "just now";
  for (const [name, size] of [["year", 31557600], ["month", 2629800], ["week", 604800], ["day", 86400], ["hour", 3600], ["minute", 60]]) {
    const n = Math.floor(seconds / size);
    if (n >= 1) return n === 1 ? `1 ${name} ago` : `${n} ${name}s ago`;
  }
  return "1 minute ago";
}
setInterval(() => all("time[data-ago]").forEach(time => {
  const past = (Date.now() - Date.parse(time.dateTime)) / 1000;
  if (past >= 0) time.textContent = ago(past);
}), 60000);

// A hold counts down; only 5 minutes, 1 minute and the end are said aloud. The server told how many seconds were left,
// so a browser whose clock is wrong still counts right.
for (const hold of all("[data-hold]")) {
  const badge = one(".hold", hold), words = one("span", badge), time = one("time", badge), voice = one("[role=status]", hold);
  const end = Date.now() + hold.dataset.hold * 1000, two = n => String(n).padStart(2, "0");
  let before = Infinity;
  const tick = () => {
    const left = Math.max(0, Math.ceil((end - Date.now()) / 1000));
    for (const [at, text] of [[300, "5 minutes left"], [60, "1 minute left"]]) if (before > at && left <= at && left > at - 10 && before !== Infinity) voice.textContent = text;
    if (left) {
      words.textContent = "Held for you";
      time.textContent = `${Math.floor(left / 60)}:${two(left % 60)}`;
    } else {
      clearInterval(timer);
      badge.classList.replace("warn", "bad");
      words.textContent = "Hold ended";
      time.textContent = "";
      one("[data-hold-over]", hold).hidden = false;
      if (before !== Infinity) voice.textContent = "The time is over. Nothing is held for you now.";
    }
    before = left;
  };
  const timer = setInterval(tick, 1000);
  tick();
}

// The server draws charts; the numbers that the crosshair tells stand in the chart's own table.
function crosshair(chart) {
  const plots = one(".plots", chart), rows = all("tbody tr", chart), cross = one(".cross", chart), tip = one(".tip", chart);
  if (!plots || rows.length < 2) return;
  const last = rows.length - 1, names = all("thead th", chart).slice(1).map(th => th.textContent);
  const line = (...parts) => { const div = document.createElement("div"); div.append(...parts); return div; };
  const strong = text => { const b = document.createElement("b"); b.textContent = text; return b; };
  let at = last;
  const show = index => {
    at = Math.max(0, Math.min(last, index));
    const cells = [...rows[at].cells].map(cell => cell.textContent), x = at / last * 100;
    tip.replaceChildren(line(cells[0]), ...cells.slice(1).map((value, i) => line(`${names[i]} `, strong(value))));
    cross.hidden = tip.hidden = false;
    cross.style.left = `${x}%`;
    tip.style.left = x < 55 ? `calc(${x}% + 10px)` : "auto";
    tip.style.right = x < 55 ? "auto" : `calc(${100 - x}% + 10px)`;
    plots.setAttribute("aria-valuenow", at);
    plots.setAttribute("aria-valuetext", [...tip.children].map(child => child.textContent).join(", "));
  };
  const hide = () => { cross.hidden = tip.hidden = true; };
  plots.tabIndex = 0;
  plots.role = "slider";
  plots.setAttribute("aria-label", `${chart.dataset.title}: values at a point. Use the arrow keys.`);
  plots.setAttribute("aria-valuemin", 0);
  plots.setAttribute("aria-valuemax", last);
  plots.setAttribute("aria-valuenow", last);
  plots.setAttribute("aria-valuetext", rows[last].cells[0].textContent);
  plots.onpointermove = event => { const box = plots.getBoundingClientRect(); show(Math.round((event.clientX - box.left) / box.width * last)); };
  plots.onpointerleave = plots.onblur = hide;
  plots.onfocus = () => show(at);
  plots.onkeydown = event => {
    const step = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, Home: -rows.length, End: rows.length, PageUp: 10, PageDown: -10 }[event.key];
    if (step) { event.preventDefault(); show(at + step); } else if (event.key === "Escape") hide();
  };
}
all(".chart").forEach(crosshair);
// Parts of the page that were drawn anew, see live.js.
addEventListener("renewed", event => all(".chart", event.target).forEach(crosshair));
