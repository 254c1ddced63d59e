"use strict";
(() => {
  const state = () => new URLSearchParams(location.hash.includes("=") ? location.hash.slice(1) : "");
  const keep = (changes) => {
    const now = state();
    for (const [name, value] of Object.entries(changes)) value ? now.set(name, value) : now.delete(name);
    const text = String(now);
    if (location.hash.replace(/^#/, "") === text) return;
    try {
      history.pushState(null, "", location.pathname + location.search + (text ? `#${text}` : ""));
    } catch {
      // Some browsers refuse it for a page that lies in a file; all else works.
    }
  };
  const number = (text) => parseFloat(text.replace(/\u2212/g, "-").replace(/(\d),(?=\d{3})/g, "$1"));
  const made = (tag, text, set = {}) => Object.assign(document.createElement(tag), { textContent: text }, set);

  // An address of an earlier form names a profile that has a page of its own now.
  const elsewhere = () => {
    const id = decodeURIComponent(location.hash.slice(1));
    if (!id || id.includes("=") || document.getElementById(id)) return;
    for (const tab of document.querySelectorAll(".tabs a:not([aria-current])")) {
      const name = tab.dataset.profile;
      if (id === name || id.startsWith(`${name}-`)) location.replace(tab.href.split("#")[0] + location.hash);
    }
  };

  const opened = () => {
    const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    for (let e = target; e; e = e.parentElement) if (e.tagName === "DETAILS") e.open = true;
    if (target) target.scrollIntoView();
  };

  const board = document.querySelector('table[data-table="arms"]');
  const rows = board ? [...board.tBodies[0].rows] : [];
  const EDGE = 10;
  let all = false;
  let redraw = () => {};
  if (rows.length > 1) {
    const heads = [...board.tHead.rows[0].cells];
    const bar = made("form", "", { className: "filter" });
    const label = made("label", "Find an arm ");
    const search = made("input", "", { type: "search", name: "find" });
    const said = made("output", "");
    const more = made("button", "Show all", { type: "button", hidden: true });
    said.setAttribute("aria-live", "polite");
    label.append(search);
    bar.append(label, more, said);
    board.closest(".scroll").before(bar);
    bar.addEventListener("submit", (event) => event.preventDefault());
    heads.forEach((head, place) => {
      const button = made("button", head.textContent, { type: "button", className: "sort" });
      head.replaceChildren(button);
      button.addEventListener("click", () => {
        const down = head.getAttribute("aria-sort") === "descending";
        keep({ sort: `${place}${down ? "u" : "d"}` });
        redraw();
      });
    });
    search.addEventListener("input", () => {
      all = false;
      keep({ find: search.value });
      redraw();
    });
    more.addEventListener("click", () => {
      all = true;
      redraw();
    });
    redraw = () => {
      const asked = state();
      search.value = asked.get("find") ?? "";
      const [, place, way] = /^(\d+)([ud])$/.exec(asked.get("sort") ?? "") ?? [];
      const shown = rows.filter((row) => row.cells[0].textContent.toLowerCase().includes(search.value.toLowerCase()));
      const order = [...rows];
      heads.forEach((head, at) => {
        if (at === Number(place)) head.setAttribute("aria-sort", way === "d" ? "descending" : "ascending");
        else head.removeAttribute("aria-sort");
      });
      if (place !== undefined && Number(place) < heads.length) {
        const sign = way === "d" ? -1 : 1;
        order.sort((one, other) => {
          const texts = [one, other].map((row) => row.cells[place].textContent);
          const [a, b] = texts.map(number);
          if (place === "0") return sign * texts[0].localeCompare(texts[1], undefined, { numeric: true });
          if (Number.isNaN(a) || Number.isNaN(b)) return Number.isNaN(a) - Number.isNaN(b);
          return sign * (a - b);
        });
      }
      board.tBodies[0].append(...order);
      const found = order.filter((row) => shown.includes(row));
      const folded = !all && found.length > 2 * EDGE + 5;
      for (const row of rows) row.hidden = true;
      found.forEach((row, at) => (row.hidden = folded && at >= EDGE && at < found.length - EDGE));
      more.hidden = !folded;
      said.textContent = folded
        ? `first and last ${EDGE} of ${found.length} arms`
        : `${found.length} of ${rows.length} arms`;
    };
  }

  const stored = document.getElementById("arm-values");
  let compare = () => {};
  if (stored) {
    const { metric, groups, t } = JSON.parse(stored.textContent);
    const form = made("form", "", { className: "filter", id: "compare" });
    const picks = ["a", "b"].map((name) => {
      const pick = made("select", "", { name });
      pick.append(made("option", "choose an arm", { value: "" }));
      for (const group of groups) for (const arm of Object.keys(group)) pick.append(made("option", arm, { value: arm }));
      pick.addEventListener("change", () => {
        keep({ [name]: pick.value });
        compare();
      });
      const label = made("label", name === "a" ? "Compare " : "with ");
      label.append(pick);
      form.append(label);
      return pick;
    });
    const said = made("output", "");
    said.setAttribute("aria-live", "polite");
    form.append(said);
    form.addEventListener("submit", (event) => event.preventDefault());
    const place = board ? board.closest("details") ?? board.closest(".scroll") : stored;
    place.before(form);
    const kept = JSON.parse(document.getElementById("example-values")?.textContent ?? '{"groups":[]}');
    const apart = made("div", "", { id: "only-one", hidden: true });
    const lines = made("div", "");
    lines.setAttribute("aria-live", "polite");
    const listed = made("div", "");
    apart.append(lines, listed);
    form.after(apart);
    const unpacked = async (text, kind) => {
      const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
      const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
      return new kind(await new Response(stream).arrayBuffer());
    };
    const MOST_EXAMPLES = 10;
    // Which test examples most trainings of one arm get right, and most of the other do not.
    const examples = async (a, b) => {
      const set = kept.groups.find((one) => a in one.arms && b in one.arms);
      if (!set)
        return [made("p", kept.large
          ? "Which test examples only one of them gets right is not told here: the page would be too large."
          : "The records do not keep for both of these arms which test examples they get right.")];
      set.ready ??= Promise.all([
        unpacked(set.right, set.bytes === 1 ? Uint8Array : Uint16Array),
        set.labels && unpacked(set.labels, Uint16Array),
      ]);
      const [right, labels] = await set.ready;
      const names = Object.keys(set.arms);
      const count = right.length / names.length;
      const called = (example) => set.classes[labels[example]] ?? String(labels[example]);
      const both = [a, b].map((arm) => ({ arm, at: names.indexOf(arm), of: set.arms[arm], only: [] }));
      const told = (example, { at, of }) => `${right[example * names.length + at]} of ${of}`;
      let all = 0;
      for (let example = 0; example < count; example += 1) {
        const shares = both.map(({ at, of }) => right[example * names.length + at] / of);
        const good = shares.map((share) => share > 0.5);
        if (good[0] && good[1]) all += 1;
        else if (good[0] || good[1]) both[good[0] ? 0 : 1].only.push([Math.abs(shares[0] - shares[1]), example]);
      }
      const neither = count - all - both[0].only.length - both[1].only.length;
      const whole = (n) => n.toLocaleString("en");
      const shown = [
        made(
          "p",
          `Of ${whole(count)} test examples, both arms get ${whole(all)} right and neither ${whole(neither)}. ` +
            "An arm gets an example right here if most of its trainings do.",
        ),
      ];
      const rows = [];
      both.forEach((one, place) => {
        const line = made("p", `: ${whole(one.only.length)}.`);
        line.prepend(made("b", `Only ${one.arm}`));
        if (one.only.length && labels) {
          const classes = new Map();
          for (const [, example] of one.only) classes.set(called(example), (classes.get(called(example)) ?? 0) + 1);
          const most = [...classes].sort((x, y) => y[1] - x[1]);
          const rest = most.length > 5 ? " and others" : "";
          line.append(` By class: ${most.slice(0, 5).map(([name, n]) => `${name} (${whole(n)})`).join(", ")}${rest}.`);
        }
        shown.push(line);
        const clear = one.only.sort((x, y) => y[0] - x[0] || x[1] - y[1]).slice(0, MOST_EXAMPLES);
        for (const [, example] of clear)
          rows.push([String(example), ...(labels ? [called(example)] : []), ...both.map((arm) => told(example, arm))]);
      });
      if (rows.length) {
        const table = made("table", "");
        table.append(made("caption", "The examples that set the two arms apart most, by their place in the test split, from 0"));
        const head = made("tr", "");
        for (const text of ["Example", ...(labels ? ["Class"] : []), ...both.map(({ arm }) => `${arm} right`)])
          head.append(made("th", text, { scope: "col" }));
        table.append(made("thead", ""), made("tbody", ""));
        table.tHead.append(head);
        for (const texts of rows) {
          const row = made("tr", "");
          texts.forEach((text, at) => row.append(made(at ? "td" : "th", text, at ? { className: "number" } : { scope: "row" })));
          table.tBodies[0].append(row);
        }
        const region = made("div", "", { className: "scroll", tabIndex: 0 });
        region.setAttribute("role", "region");
        region.setAttribute("aria-label", "Test examples that set the two arms apart");
        region.append(table);
        const fold = made("details", "");
        fold.append(made("summary", `${rows.length} test examples that set them apart most`), region);
        shown.push(fold);
      }
      return shown;
    };
    let asked = 0;
    const tellExamples = async (a, b) => {
      const mine = (asked += 1);
      apart.hidden = !a;
      if (!a) return;
      const shown = await examples(a, b).catch(() => [
        made("p", "This browser cannot unpack which test examples they get right."),
      ]);
      if (mine !== asked) return;
      lines.replaceChildren(...shown.filter((part) => part.tagName === "P"));
      listed.replaceChildren(...shown.filter((part) => part.tagName !== "P"));
    };
    const digits = (value, width) => {
      const places = Math.min(8, Math.max(0, width > 0 ? 1 - Math.floor(Math.log10(width)) : 4));
      return value.toFixed(places).replace("-", "\u2212");
    };
    compare = () => {
      const asked = state();
      for (const pick of picks) pick.value = asked.get(pick.name) ?? "";
      const [a, b] = picks.map((pick) => pick.value);
      const group = groups.find((one) => a in one && b in one);
      if (group && a !== b) tellExamples(a, b);
      else tellExamples("", "");
      if (!a || !b) said.textContent = "";
      else if (a === b) said.textContent = "Choose two different arms.";
      else if (!group) said.textContent = "These arms are tested on different data and cannot be compared.";
      else {
        const seeds = Object.keys(group[a]).filter((seed) => seed in group[b]);
        const d = seeds.map((seed) => group[a][seed] - group[b][seed]);
        const mean = d.reduce((sum, x) => sum + x, 0) / d.length;
        const spread = Math.sqrt(d.reduce((sum, x) => sum + (x - mean) ** 2, 0) / (d.length - 1));
        const half = d.length > 1 ? t[d.length] * spread / Math.sqrt(d.length) : NaN;
        const count = `${d.length} shared seed${d.length === 1 ? "" : "s"}`;
        if (!d.length) said.textContent = "The two arms share no seed.";
        else if (!(half > 0)) said.textContent = `${metric}: ${a} \u2212 ${b} = ${digits(mean, 0)}, ${count}, no interval.`;
        else
          said.textContent =
            `${metric}: ${a} \u2212 ${b} = ${digits(mean, half)} ` +
            `(95\u00a0% interval ${digits(mean - half, half)} to ${digits(mean + half, half)}; ${count}, ` +
            "paired by seed, over seeds alone). It is no test: it allows for no other comparison.";
      }
    };
  }

  const arrived = () => {
    elsewhere();
    redraw();
    compare();
    opened();
    const asked = state();
    if (board && ["sort", "find"].some((name) => asked.has(name))) {
      const fold = board.closest("details");
      if (fold) fold.open = true;
    }
  };
  addEventListener("hashchange", arrived);
  addEventListener("popstate", arrived);
  arrived();
})();
