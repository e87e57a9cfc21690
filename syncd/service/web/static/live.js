// Puts what the server rendered anew in the place of what was there. Without it the page loads itself again.
"use strict";

const lost = document.getElementById("link");

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

function listen() {
  const stream = new EventSource("/events");
  stream.addEventListener("sections", (message) => {
    lost.hidden = true;
    for (const [id, html] of Object.entries(JSON.parse(message.data))) put(id, html);
  });
  stream.addEventListener("title", (message) => { document.title = JSON.parse(message.data); });
  stream.onerror = () => { lost.hidden = false; };
  addEventListener("pagehide", () => stream.close());
}

listen();
