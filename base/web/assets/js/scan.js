// A form that takes codes from a camera too, where the browser can read them by itself. The answer is shown in place, so
// that the camera stays on. Everywhere else the same form takes what is typed, or what a hand scanner types.
const form = document.querySelector("form[data-scan]"), box = form.querySelector("[data-camera]");
const [start, stop] = box.querySelectorAll("button"), video = box.querySelector("video"), voice = box.querySelector("[role=status]");
const { [form.dataset.scan]: field, scan: name } = form.elements;
// How often the picture is looked at, and how long a code must be out of sight to count anew, in milliseconds.
const EVERY = 200, AWAY = 2000;
const WHY = {
  NotAllowedError: "The camera was not allowed. Allow it for this site in the browser, or type the code.",
  NotFoundError: "There is no camera here. Use a hand scanner, or type the code.",
  NotReadableError: "Another program uses the camera. Close it, then try again.",
};
const tell = text => { voice.textContent = text; };
const pause = time => new Promise(next => setTimeout(next, time));
let stream, inSight = new Map();

/** Sends the form and shows what the answer says; throws where no answer of this page came. */
async function send() {
  const answer = await fetch(form.action, { method: "post", body: new URLSearchParams(new FormData(form)), headers: { accept: "text/html" } });
  const parts = new DOMParser().parseFromString(await answer.text(), "text/html").querySelectorAll("[data-live]");
  if (!parts.length) throw new Error(answer.status);
  for (const part of parts) document.getElementById(part.id).replaceChildren(...part.childNodes);
  navigator.vibrate?.(document.querySelector("[data-live] .notice.ok") ? 100 : [200, 100, 200]);
}

/** Each scan has a name: a code sent again after no answer came is the same scan and gets the same answer. */
async function submit() {
  try {
    await send();
    field.value = "";
    name.value = crypto.randomUUID();
    tell("Ready for the next code.");
    return true;
  } catch (error) {
    tell(error.message === "401" ? "You are signed out. Reload the page and sign in; nobody was let in by this scan." : "No answer came. Scan it again: it counts as the same scan.");
    return false;
  }
}

/** Looks at one picture. A code that stays in sight counts once. */
async function look(detector) {
  const now = performance.now();
  for (const [code, at] of inSight) if (now - at > AWAY) inSight.delete(code);
  for (const { rawValue: code } of document.hidden ? [] : await detector.detect(video).catch(() => [])) {
    const isNew = !inSight.has(code);
    if (isNew && stream) {
      field.value = code.slice(0, field.maxLength);
      if (!await submit()) { await pause(AWAY); continue; }
    }
    inSight.set(code, performance.now());
  }
}

function show(isOn) {
  [start.hidden, stop.hidden, video.hidden] = [isOn, !isOn, !isOn];
}

function end() {
  for (const track of stream?.getTracks() ?? []) track.stop();
  stream = video.srcObject = null;
  show(false);
  tell("");
}

async function begin() {
  tell("The browser asks whether this page may use the camera.");
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
    show(true);
    video.srcObject = stream;
    await video.play();
  } catch (error) {
    end();
    return tell(WHY[error.name] ?? "The camera does not start. Use a hand scanner, or type the code.");
  }
  tell("Hold a code before the camera.");
  const detector = new BarcodeDetector({ formats: ["qr_code"] });
  while (stream) {
    await look(detector);
    await pause(EVERY);
  }
}

start.onclick = begin;
stop.onclick = end;
addEventListener("pagehide", end);
form.addEventListener("submit", event => { if (stream) { event.preventDefault(); submit(); } });
// A hand scanner types into the field that has the focus; on a phone that would only open the keyboard.
if (matchMedia("(pointer: fine)").matches) field.focus();

const formats = await globalThis.BarcodeDetector?.getSupportedFormats().catch(() => []) ?? [];
if (!navigator.mediaDevices) tell("The camera needs an address that begins with https. Use a hand scanner, or type the code.");
else if (!formats.includes("qr_code")) tell("This browser reads no codes with the camera; Chrome on Android does. Use a hand scanner, or type the code.");
else for (const part of [start.parentElement, box.querySelector("#camera-hint")]) part.hidden = false;
box.hidden = false;
