"use strict";
(() => {
  const PAUSE = 2000;
  const shown = new Map();
  const lost = document.getElementById("lost");
  let answered = Date.now();
  for (const part of document.querySelectorAll("[data-part]")) shown.set(part.dataset.part, part.innerHTML);

  // Where the reader is: what is open, what has the focus, how far a table was moved.
  const put = (mine, html) => {
    const open = new Map([...mine.querySelectorAll("details[id]")].map((e) => [e.id, e.open]));
    const moved = [...mine.querySelectorAll(".scroll")].map((e) => e.scrollLeft);
    const places = [...mine.querySelectorAll("a, summary, [tabindex]")];
    const focused = places.indexOf(document.activeElement);
    mine.innerHTML = html;
    for (const e of mine.querySelectorAll("details[id]")) e.open = open.get(e.id) ?? false;
    [...mine.querySelectorAll(".scroll")].forEach((e, i) => { e.scrollLeft = moved[i] ?? 0; });
    if (focused >= 0) mine.querySelectorAll("a, summary, [tabindex]")[focused]?.focus({ preventScroll: true });
  };

  const take = (text) => {
    const bare = text.replace(/<(style|script)\b[^]*?<\/\1>/g, ""); // the policy knows this page's own alone
    const next = new DOMParser().parseFromString(bare, "text/html");
    document.title = next.title;
    document.body.dataset.state = next.body.dataset.state;
    for (const part of next.querySelectorAll("[data-part]")) {
      const name = part.dataset.part;
      const mine = document.querySelector(`[data-part="${name}"]`);
      if (!mine || shown.get(name) === part.innerHTML) continue;
      shown.set(name, part.innerHTML);
      put(mine, part.innerHTML);
    }
  };

  const say = (text) => {
    if (lost.textContent !== text) lost.textContent = text;
    lost.hidden = !text;
  };

  const look = async () => {
    try {
      const answer = await fetch(location.href.split("#")[0], { cache: "no-store", signal: AbortSignal.timeout(60000) });
      if (!answer.ok) throw new Error(answer.statusText);
      take(await answer.text());
      answered = Date.now();
      say("");
    } catch {
      const at = new Date(answered).toLocaleTimeString();
      say(`The server of this page does not answer since ${at}: it has ended, or the tunnel is closed. What stands here is of that moment. The page goes on by itself once "harness run --live" or "harness live" serves it at this address again.`);
    }
  };

  const go = async () => {
    if (!document.hidden) await look();
    setTimeout(go, PAUSE);
  };
  setTimeout(go, PAUSE);
})();
