// Puts what the server rendered anew in the place of what was there. Without it the page loads itself again.
"use strict";

const SILENT_SECONDS = 15; // The server says something every 5 seconds.
const AGAIN_SECONDS = 5;

let stream = null;
let heard = Date.now();
let last = null; // What the page said of itself before the connection was lost, null while there is one.

function put(id, html) {
  const old = document.getElementById(id);
  const fresh = document.createElement("template");
  fresh.innerHTML = html;
  const now = fresh.content.firstElementChild;
  if (!old || !now) return;
  for (const open of old.querySelectorAll("details[open]")) {
    const same = fresh.content.getElementById(open.id);
    if (same) same.open = true;
  }
  const focused = old.contains(document.activeElement) ? document.activeElement.closest("details") : null;
  old.replaceWith(now);
  if (focused) document.querySelector("#" + CSS.escape(focused.id) + " > summary")?.focus();
}

// What stands there is no longer known to be so: nothing may look as if it were.
function lose() {
  if (last) return;
  const banner = document.getElementById("banner");
  last = { banner: banner.outerHTML, title: document.title };
  const said = "no connection since " + new Date(heard).toISOString().slice(11, 19) + " UTC";
  const note = document.createElement("p");
  note.className = "note";
  note.textContent = "What follows is how it stood then: " + last.title.replace(/ · syncd$/, "") + ". Trying again.";
  banner.className = "bad";
  banner.querySelector(".headline").textContent = said;
  banner.querySelector(".note")?.remove();
  banner.append(note);
  document.body.classList.add("lost");
  document.title = said + " · syncd";
}

function hear() {
  heard = Date.now();
  if (!last) return;
  put("banner", last.banner);
  document.title = last.title;
  document.body.classList.remove("lost");
  last = null;
}

// Another answer than a stream: too many viewers, another token, or a proxy before a daemon that is away.
async function loadAgain() {
  const answer = await fetch("/", { cache: "no-store" }).catch(() => null);
  if (answer?.ok) return location.reload();
  lose();
  setTimeout(loadAgain, AGAIN_SECONDS * 1000);
}

function listen() {
  stream = new EventSource("/events");
  stream.addEventListener("sections", (message) => {
    hear();
    for (const [id, html] of Object.entries(JSON.parse(message.data))) put(id, html);
  });
  stream.addEventListener("title", (message) => { hear(); document.title = JSON.parse(message.data); });
  stream.addEventListener("still", hear);
  stream.addEventListener("end", () => { stream.close(); clearInterval(watch); });
  stream.onerror = () => {
    if (stream.readyState === EventSource.CLOSED) setTimeout(loadAgain, AGAIN_SECONDS * 1000);
    else lose();
  };
  addEventListener("pagehide", () => stream.close());
}

const watch = setInterval(() => { if (Date.now() - heard > SILENT_SECONDS * 1000) lose(); }, 1000);
listen();
