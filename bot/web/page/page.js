"use strict";
(() => {
  const step = document.getElementById("step");
  const said = document.getElementById("said");
  const lost = document.getElementById("lost");
  const address = step.dataset.events;
  let source = null;
  let over = false;

  const tick = () => {
    for (const place of document.querySelectorAll("[data-seconds]")) {
      place.end ??= performance.now() + 1000 * place.dataset.seconds;
      place.textContent = Math.max(0, Math.round((place.end - performance.now()) / 1000));
    }
  };

  // A code that rotates changes its own place alone; another step changes everything, and is said.
  const show = (view) => {
    lost.hidden = true;
    const live = step.querySelector("[data-live]");
    if (view.key === step.dataset.key && live) {
      const fresh = document.createElement("div");
      fresh.innerHTML = view.html;
      live.replaceWith(fresh.querySelector("[data-live]"));
    } else if (view.key !== step.dataset.key) {
      step.innerHTML = view.html;
      step.dataset.key = view.key;
      said.textContent = view.said;
      step.focus({ preventScroll: true });
      window.scrollTo(0, 0);
    }
    tick();
    over = over || view.over;
    if (view.over) {
      source?.close();
      document.querySelector("footer").hidden = true;
    }
  };

  // One page of a browser follows for all that show the same link: it may hold only six lines.
  const others = new BroadcastChannel(location.pathname);
  others.onmessage = (message) => show(message.data);

  const follow = () => {
    source = new EventSource(address);
    source.onmessage = (message) => {
      const view = JSON.parse(message.data);
      show(view);
      others.postMessage(view);
    };
    source.onerror = () => {
      if (over) return;
      lost.hidden = false;
      if (source.readyState === EventSource.CLOSED) setTimeout(ask, 2000);
    };
  };

  // An answer that is no stream: the link may have ended, or LYROX starts again.
  const ask = async () => {
    try {
      const answer = await fetch(location.href, { method: "HEAD", cache: "no-store" });
      if (answer.ok) return follow();
      if (answer.status < 500) return location.reload();
    } catch { /* Nobody is there yet. */ }
    setTimeout(ask, 2000);
  };

  window.addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
  tick();
  setInterval(tick, 1000);
  if (!address) return;
  if (navigator.locks) navigator.locks.request(location.pathname, () => { follow(); return new Promise(() => {}); });
  else follow();
})();
