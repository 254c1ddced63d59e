"use strict";
(() => {
  const form = document.getElementById("filter");
  const results = [...document.querySelectorAll("tr.result")];
  const fields = ["study", "verdict", "source", "profile"];
  const sources = new Map(
    [...document.querySelectorAll("tbody.claim")].map((c) => [c, JSON.parse(c.dataset.sources)]),
  );

  const show = () => {
    const wanted = Object.fromEntries(fields.map((name) => [name, form.elements[name].value]));
    const claims = new Set();
    let shown = 0;
    for (const row of results) {
      const claim = row.closest("tbody");
      const fits =
        (!wanted.study || row.closest(".study").dataset.study === wanted.study) &&
        (!wanted.verdict || row.dataset.verdict === wanted.verdict) &&
        (!wanted.profile || row.dataset.profile === wanted.profile) &&
        (!wanted.source || sources.get(claim).includes(wanted.source));
      row.hidden = !fits;
      if (fits) {
        shown += 1;
        claims.add(claim);
      }
    }
    for (const claim of sources.keys()) claim.hidden = !claims.has(claim);
    const filtered = fields.some((name) => wanted[name]);
    for (const study of document.querySelectorAll(".study")) {
      study.hidden = filtered && !study.querySelector("tr.result:not([hidden])");
      if (filtered && !study.hidden) study.querySelector("details").open = true;
    }
    const count = (n, word) => `${n} ${word}${n === 1 ? "" : "s"}`;
    form.querySelector("output").textContent = shown
      ? `${count(shown, "verdict")} on ${count(claims.size, "claim")}` +
        (filtered ? ` of ${sources.size}` : "")
      : "Nothing fits; choose fewer conditions.";
    return filtered ? new URLSearchParams(fields.flatMap((n) => (wanted[n] ? [[n, wanted[n]]] : []))) : "";
  };

  const changed = () => {
    const asked = String(show());
    if (asked === (location.hash.includes("=") ? location.hash.slice(1) : "")) return;
    try {
      history.pushState(null, "", location.pathname + location.search + (asked ? `#${asked}` : ""));
    } catch {
      // Some browsers refuse it for a page that lies in a file; the filter works all the same.
    }
  };

  const fromAddress = () => {
    if (!location.hash.includes("=")) {
      for (const name of fields) form.elements[name].value = "";
      show();
      const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
      const fold = target?.closest("details") ?? target?.closest(".study")?.querySelector("details");
      if (fold) fold.open = true;
      if (target) target.scrollIntoView();
      return;
    }
    const asked = new URLSearchParams(location.hash.slice(1));
    for (const name of fields) form.elements[name].value = asked.get(name) ?? "";
    show();
    form.scrollIntoView();
    form.elements[fields[0]].focus({ preventScroll: true });
  };

  const folds = [...document.querySelectorAll("details.fold")];
  const unfold = form.elements.unfold;
  const allOpen = () => folds.every((fold) => fold.open);
  const named = () => {
    if (unfold) unfold.textContent = allOpen() ? "Close all" : "Open all";
  };
  for (const fold of folds) fold.addEventListener("toggle", named);
  unfold?.addEventListener("click", () => {
    const open = !allOpen();
    for (const fold of folds) fold.open = open;
  });
  addEventListener("beforeprint", () => {
    for (const fold of folds) fold.open = true;
  });

  form.hidden = false;
  form.addEventListener("input", changed);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(changed));
  addEventListener("hashchange", fromAddress);
  addEventListener("popstate", fromAddress);
  fromAddress();
})();
