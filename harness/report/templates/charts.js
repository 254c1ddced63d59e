"use strict";
(() => {
  const { profile, curves, seeds } = JSON.parse(document.getElementById("charts").textContent);
  const values = JSON.parse(document.getElementById("arm-values")?.textContent ?? "null");
  const MOST_SHOWN = 6;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const made = (tag, text, set = {}) => Object.assign(document.createElement(tag), { textContent: text }, set);
  const tone = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  const dashes = [[], [6, 4], [2, 3], [8, 3, 2, 3]];

  // One chart: legend with toggles, a cursor by pointer and arrow keys, a linear or logarithmic axis.
  const chart = (box, plan) => {
    const bar = made("form", "", { className: "filter" });
    const log = made("input", "", { type: "checkbox", name: "log" });
    const label = made("label", "");
    const room = made("div", "", { className: "drawing" });
    label.append(log, " logarithmic axis");
    bar.append(label);
    bar.addEventListener("submit", (event) => event.preventDefault());
    box.replaceChildren(bar, room);
    let hidden = null;
    let plot = null;
    const draw = () => {
      const { x, lines, xLabel, yLabel, dots, told, opens } = plan();
      const positive = lines.every((line) => line.y.every((v) => v === null || v > 0));
      log.disabled = !positive;
      hidden ??= new Set(lines.slice(MOST_SHOWN).map((line) => line.name));
      const axis = { stroke: tone("muted"), grid: { stroke: tone("grid"), width: 1 }, ticks: { stroke: tone("grid"), width: 1 } };
      room.replaceChildren();
      plot = new uPlot(
        {
          width: Math.max(260, room.clientWidth),
          height: 300,
          scales: { x: dots ? { time: false, range: (u, low, high) => [low - 0.5, high + 0.5] } : { time: false }, y: { distr: log.checked && positive ? 3 : 1 } },
          axes: [{ ...axis, label: xLabel, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000] }, { ...axis, label: yLabel, size: 70 }],
          series: [
            { label: xLabel },
            ...lines.map((line, at) => ({
              label: line.name,
              show: !hidden.has(line.name),
              stroke: tone(`series-${at % 8}`),
              dash: dots ? undefined : dashes[Math.floor(at / 8) % dashes.length],
              width: 2,
              paths: dots ? () => null : undefined,
              points: { show: dots, size: 9, fill: tone(`series-${at % 8}`) },
              value: (u, value, series, place) => (value == null ? "–" : told(line, value, place)),
            })),
          ],
          hooks: { setSeries: [(u, at, set) => {
            if (at === null || set.show === undefined) return;
            const name = lines[at - 1].name;
            set.show ? hidden.delete(name) : hidden.add(name);
            marks();
          }] },
        },
        [x, ...lines.map((line) => line.y)],
        room,
      );
      const heads = [...room.querySelectorAll(".u-series")].slice(1).map((row) => row.querySelector("th"));
      const marks = () => heads.forEach((head, at) => head.setAttribute("aria-pressed", String(!hidden.has(lines[at].name))));
      heads.forEach((head) => {
        head.tabIndex = 0;
        head.setAttribute("role", "button");
        head.addEventListener("keydown", (event) => {
          if (event.key !== "Enter" && event.key !== " ") return;
          event.preventDefault();
          head.click();
        });
      });
      marks();
      const over = plot.over;
      over.tabIndex = 0;
      over.setAttribute("role", "img");
      over.setAttribute("aria-label", `${yLabel} over ${xLabel}; arrow keys move along it, the legend shows the numbers`);
      over.addEventListener("keydown", (event) => {
        const way = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
        if (!way) return;
        event.preventDefault();
        const place = Math.min(x.length - 1, Math.max(0, (plot.cursor.idx ?? -1) + way));
        plot.setCursor({ left: plot.valToPos(x[place], "x"), top: 10 });
      });
      if (opens) over.addEventListener("click", () => {
        const place = plot.cursor.idx;
        if (place == null) return;
        const near = (at) => Math.abs(plot.valToPos(lines[at].y[place], "y") - plot.cursor.top);
        const shown = lines.map((_, at) => at).filter((at) => lines[at].y[place] !== null && !hidden.has(lines[at].name));
        shown.sort((one, other) => near(one) - near(other));
        const address = shown.length && opens(lines[shown[0]], place);
        if (address) location.href = address;
      });
    };
    log.addEventListener("change", draw);
    dark.addEventListener("change", () => plot && draw());
    addEventListener("resize", () => plot && plot.setSize({ width: Math.max(260, room.clientWidth), height: 300 }));
    return { draw, forget: () => (hidden = null) };
  };

  const heading = document.getElementById(`${profile}-curves`);
  if (heading && curves.arms) {
    const fold = made("details", "", { className: "chart" });
    const box = made("div", "");
    fold.append(made("summary", "Explore the curves: numbers by epoch, arms to show or hide, a logarithmic axis"), box);
    heading.after(fold);
    const lines = Object.entries(curves.arms).map(([name, y]) => ({ name, y }));
    const of = chart(box, () => ({
      x: curves.epochs, lines, xLabel: "Epoch", yLabel: curves.metric, dots: false,
      told: (line, value) => String(value),
    }));
    fold.addEventListener("toggle", () => fold.open && of.draw(), { once: true });
  }

  const form = document.getElementById("compare");
  if (form && values && Object.keys(seeds).length) {
    const box = made("div", "", { className: "chart", id: "two-arms", hidden: true });
    form.after(box);
    const picks = [...form.querySelectorAll("select")];
    let pair = [];
    const of = chart(box, () => {
      const group = values.groups.find((one) => pair.every((arm) => arm in one));
      const x = [...new Set(pair.flatMap((arm) => Object.keys(group[arm])))].map(Number).sort((a, b) => a - b);
      return {
        x, xLabel: "Seed", yLabel: values.metric, dots: true,
        lines: pair.map((name) => ({ name, y: x.map((seed) => group[name][seed] ?? null) })),
        told: (line, value, place) => `${Number(value.toPrecision(5))}, trial ${seeds[line.name]?.[x[place]]?.[0] ?? "–"}`,
        opens: (line, place) => seeds[line.name]?.[x[place]]?.[1],
      };
    });
    const shown = () => {
      const now = picks.map((pick) => pick.value);
      const fits = now[0] && now[1] && now[0] !== now[1] && values.groups.some((one) => now.every((arm) => arm in one));
      box.hidden = !fits;
      if (!fits || now.join() === pair.join()) return;
      pair = now;
      of.forget();
      of.draw();
    };
    form.addEventListener("change", shown);
    addEventListener("popstate", shown);
    addEventListener("hashchange", shown);
    shown();
  }
})();
