// The page's own script: one state (sigma, marks, filter), and functions that show it.
(function () {
  "use strict";
  const root = document.documentElement;
  root.classList.add("js");
  const find = (id) => document.getElementById(id);
  const data = JSON.parse(find("data").textContent);
  const state = { sigma: data.sigma, marks: new Set() };
  const table = find("designs-table");
  const rows = table ? Array.from(table.tBodies[0].rows) : [];
  const narrow = () => window.innerWidth < 640;
  const digits = new Intl.NumberFormat("en", { maximumSignificantDigits: 4 });
  const number = (value) => {
    const far = value !== 0 && (Math.abs(value) < 1e-4 || Math.abs(value) >= 1e9);
    return far ? value.toExponential(3) : digits.format(value);
  };
  const brief = (value) =>
    value >= 1e6 ? number(value / 1e6) + " M" : value >= 1e4 ? number(value / 1e3) + " k" : number(value);
  // Plotly reads a subset of HTML in texts: what comes from outside is only ever text.
  const plain = (text) =>
    String(text).replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
  const short = (text, most) => (text.length > most ? text.slice(0, most - 1) + "…" : text);
  const inSigma = (point) => state.sigma === null || point.sigma === state.sigma;
  const name = (point) =>
    point.label + (state.sigma === null && data.sigmas.length > 1 ? ", σ " + point.sigma : "");

  // --- table -----------------------------------------------------------------------------------
  function showTable(everything = false) {
    const terms = archsimPage.terms(table, find("filter").value);
    const unknown = terms.filter((term) => term.unknown).map((term) => term.unknown);
    const only = find("only-marked").checked && state.marks.size > 0;
    let shown = 0;
    for (const row of rows) {
      const place = Number(row.dataset.place);
      const marked = state.marks.has(place);
      row.classList.toggle("marked", marked);
      row.querySelector(".mark").checked = marked;
      row.hidden = !everything && (
        !inSigma(data.points[place]) || (only && !marked) || !terms.every((term) => term.test(row))
      );
      shown += row.hidden ? 0 : 1;
    }
    find("status").textContent = shown + " of " + rows.length + " designs, " + state.marks.size + " marked" +
      unknown.map((what) => "; " + what).join("");
    find("unmark").disabled = find("only-marked").disabled = state.marks.size === 0;
    if (state.marks.size === 0) find("only-marked").checked = false;
    table.classList.toggle("one-sigma", state.sigma !== null && !everything);
    for (const place of document.querySelectorAll(".at-sigma")) {
      const all = state.sigma === null || (everything && place.closest("#designs"));
      place.textContent = all ? "at every sigma" : "at sigma " + state.sigma;
    }
  }

  // --- charts ----------------------------------------------------------------------------------
  const coarse = window.matchMedia("(pointer: coarse)").matches;
  const config = {
    responsive: true,
    displaylogo: false,
    // Named one by one: the default set of plotly.js 4 has a button that sends the chart away.
    modeBarButtons: [["toImage"], ["select2d", "zoom2d", "pan2d", "autoScale2d"]],
    plotlyServerURL: "",
  };
  const kinds = [
    ["none", "no shared block", "circle", 0],
    ["common", "one common block", "square", 5],
    ["separate", "separate blocks", "diamond", 2],
  ];
  const baseLayout = () => ({
    font: { family: getComputedStyle(root).fontFamily, size: 12 },
    paper_bgcolor: "transparent",
    plot_bgcolor: "transparent",
    showlegend: false,
    hovermode: "closest",
    hoverlabel: { bgcolor: "#25282d", bordercolor: "#25282d", font: { color: "#ffffff", size: 12 }, align: "left" },
  });
  const metricOf = (key) => data.metrics.find((metric) => metric.key === key);
  const titleOf = (metric) => metric.label + (metric.unit ? ", " + metric.unit : "");

  function hover(point) {
    const lines = ["<b>" + plain(name(point)) + "</b>"];
    const interval = point.low === null ? "" : " (" + point.low.toFixed(2) + " to " + point.high.toFixed(2) + ")";
    lines.push("accuracy " + point.accuracy.toFixed(2) + " %" + interval);
    for (const metric of data.metrics) {
      const value = point.values[metric.key];
      if (value !== null) lines.push(metric.label + " " + brief(value) + " " + metric.unit);
    }
    return lines.join("<br>");
  }

  function front(points, key) {
    const ordered = points.slice().sort((a, b) => a.values[key] - b.values[key] || b.accuracy - a.accuracy);
    let best = -Infinity;
    return ordered.filter((point) => {
      const better = point.accuracy > best;
      best = Math.max(best, point.accuracy);
      return better;
    });
  }

  function markerTrace(points, key, kind) {
    const [design, label, symbol, colour] = kind;
    const ofDesign = points.filter((point) => point.design === design);
    const chosen = ofDesign.flatMap((point, at) => (state.marks.has(data.points.indexOf(point)) ? [at] : []));
    return {
      type: "scatter",
      mode: "markers",
      name: label,
      x: ofDesign.map((point) => point.values[key]),
      y: ofDesign.map((point) => point.accuracy),
      customdata: ofDesign.map((point) => data.points.indexOf(point)),
      text: ofDesign.map(hover),
      hovertemplate: "%{text}<extra></extra>",
      error_y: {
        type: "data",
        symmetric: false,
        array: ofDesign.map((point) => (point.high === null ? 0 : point.high - point.accuracy)),
        arrayminus: ofDesign.map((point) => (point.low === null ? 0 : point.accuracy - point.low)),
        thickness: 1,
        width: 3,
      },
      marker: { symbol, size: 10, color: data.colours.series[colour], line: { width: 1, color: "#ffffff" } },
      selectedpoints: state.marks.size ? chosen : null,
      selected: { marker: { opacity: 1 } },
      unselected: { marker: { opacity: 0.18 } },
    };
  }

  function frontTrace(best, key) {
    return {
      type: "scatter",
      mode: "lines",
      x: best.map((point) => point.values[key]),
      y: best.map((point) => point.accuracy),
      line: { color: "#8a9099", width: 1, dash: "dot", shape: "hv" },
      hoverinfo: "skip",
    };
  }

  const weight = (point, text) => (point.recommended ? "<b>" + text + "</b>" : text);

  // Names beside the answer and the points of the front, best first, on the side where there is
  // room; one that would lie on another is left to the hover.
  function frontLabels(best, points, key, range) {
    const ends = points.flatMap((point) => [point.low ?? point.accuracy, point.high ?? point.accuracy]);
    const [low, high] = [Math.min(...ends), Math.max(...ends)];
    const placed = [];
    const answer = points.filter((point) => point.recommended);
    for (const point of [...answer, ...best.slice().reverse().filter((each) => !each.recommended)]) {
      const at = [
        (Math.log10(point.values[key]) - range[0]) / (range[1] - range[0]),
        (point.accuracy - low) / (high - low || 1),
      ];
      const near = (other) => Math.abs(other[0] - at[0]) < 0.4 && Math.abs(other[1] - at[1]) < 0.06;
      if (placed.some((each) => near(each.at))) continue;
      placed.push({ at, point });
    }
    return placed.map(({ at, point }) => ({
      x: Math.log10(point.values[key]), y: point.accuracy, showarrow: false, yanchor: "bottom", yshift: 3,
      xanchor: at[0] > 0.55 ? "right" : "left", xshift: at[0] > 0.55 ? -7 : 7,
      text: weight(point, plain(short(name(point), narrow() ? 16 : 36))),
    }));
  }

  function scatter(which) {
    const chart = find("chart-" + which);
    const key = find("metric-" + which).value;
    const all = data.points.filter(inSigma);
    const points = all.filter((point) => point.accuracy !== null && point.values[key] > 0);
    const lacks = all.length - points.length;
    find("left-out-" + which).textContent = lacks
      ? "Left out, for lack of a value: " + lacks + " of " + all.length + " designs."
      : "";
    const layout = Object.assign(baseLayout(), {
      height: narrow() ? 340 : 430,
      margin: { l: 56, r: 24, t: 24, b: 48 },
      dragmode: coarse ? false : "select",
      selections: [],
      xaxis: { type: "log", title: { text: titleOf(metricOf(key)) }, automargin: true },
      yaxis: { title: { text: "accuracy, %" }, automargin: true },
    });
    Object.assign(layout.xaxis, ticks(points.map((point) => point.values[key])));
    const best = front(points, key);
    layout.annotations = frontLabels(best, points, key, layout.xaxis.range || [0, 1]);
    const traces = [frontTrace(best, key), ...kinds.map((kind) => markerTrace(points, key, kind))];
    chart.style.minHeight = layout.height + "px";
    return Plotly.react(chart, traces, layout, config);
  }

  // At most a handful of round numbers on a logarithmic axis: 1, 2, 5 or powers of ten.
  function ticks(values) {
    if (!values.length) return {};
    const low = Math.log10(Math.min(...values)), high = Math.log10(Math.max(...values));
    const pad = Math.max(0.08 * (high - low), 0.12);
    const range = [low - pad, high + pad];
    const wide = range[1] - range[0];
    const steps = wide > 2.5 ? [1] : narrow() && wide > 1.1 ? [1, 3] : [1, 2, 5];
    const rounded = [];
    for (let power = Math.floor(range[0]); power <= Math.ceil(range[1]); power += 1) {
      for (const step of steps) {
        const at = Math.log10(step) + power;
        if (at >= range[0] && at <= range[1]) rounded.push(step * Math.pow(10, power));
      }
    }
    if (rounded.length < 2) return { range, nticks: 5 };
    return { range, tickmode: "array", tickvals: rounded, ticktext: rounded.map(brief), tickangle: 0 };
  }

  function shownBreakdowns() {
    const marked = state.marks.size > 0;
    const shown = [];
    for (const breakdown of data.breakdowns) {
      const places = breakdown.designs.filter(
        (place) => inSigma(data.points[place]) && (!marked || state.marks.has(place))
      );
      if (places.length) shown.push({ breakdown, names: Array.from(new Set(places.map((place) => name(data.points[place])))) });
    }
    return shown;
  }

  function bars(which) {
    const quantity = Number(find("quantity").value);
    const shares = find("shares").checked;
    const [title, own] = data.quantities[quantity];
    const unit = shares ? "%" : own;
    const shown = shownBreakdowns();
    const parts = data.breakdowns.flatMap((breakdown) => breakdown[which]);
    const block = new Set(parts.filter((part) => part.block).map((part) => part.name));
    const names = Array.from(new Set(parts.map((part) => part.name)));
    names.sort((one, other) => data.rests.includes(one) - data.rests.includes(other));
    const totals = shown.map(({ breakdown }) => breakdown[which].reduce((sum, part) => sum + part.values[quantity], 0));
    const used = [];
    const traces = names.map((part, order) => {
      const values = shown.map(({ breakdown }, at) => {
        const value = (breakdown[which].find((each) => each.name === part) || { values: [] }).values[quantity] || 0;
        return shares && totals[at] ? (100 * value) / totals[at] : value;
      });
      const style = partStyle(part, order, block.has(part));
      if (values.some((value) => value > 0)) used.push([part, style]);
      return {
        type: "bar",
        orientation: "h",
        name: plain(part),
        x: values,
        y: shown.map((_, at) => at),
        width: 0.42,
        text: shown.map(({ names: labels }, at) =>
          "<b>" + plain(part) + "</b> " + number(values[at]) + " " + unit + "<br>" + labels.slice(0, 8).map(plain).join("<br>") + (labels.length > 8 ? "<br>…" : "")
        ),
        textposition: "none",
        hovertemplate: "%{text}<extra></extra>",
        marker: style,
      };
    });
    legend("legend-" + which, used.map(([part, style]) => [part, style.color, "square", Boolean(style.pattern)]));
    const most = narrow() ? 24 : 44;
    const layout = Object.assign(baseLayout(), {
      barmode: "stack",
      height: 70 + 46 * Math.max(shown.length, 1),
      margin: { l: 8, r: 24, t: 16, b: 44 },
      dragmode: false,
      xaxis: { title: { text: (shares ? "share of the " : "") + title + ", " + unit }, rangemode: "tozero", nticks: narrow() ? 5 : 8, exponentformat: "none" },
      yaxis: { range: [shown.length - 0.5, -0.6], visible: false, fixedrange: true },
      annotations: shown.map(({ names: labels }, at) => ({
        x: 0, y: at, xref: "x", yref: "y", xanchor: "left", yanchor: "bottom", yshift: 9, showarrow: false,
        text: plain(short(labels[0], most)) + (labels.length > 1 ? " and " + (labels.length - 1) + " more" : "") + " · <b>" + number(totals[at]) + "</b> " + own,
      })),
    });
    find("chart-" + which).style.minHeight = layout.height + "px";
    return Plotly.react(find("chart-" + which), traces, layout, Object.assign({}, config, { displayModeBar: false }));
  }

  function partStyle(part, order, isBlock) {
    const series = data.colours.series;
    const color = data.rests.includes(part) ? "#b4b8be" : series[order % series.length];
    const style = { color, line: { width: 0.5, color: "#ffffff" } };
    if (isBlock) style.pattern = { shape: "/", bgcolor: color, fgcolor: data.colours.block, size: 6, solidity: 0.2 };
    return style;
  }

  function legend(id, entries) {
    const list = find(id);
    if (!list) return;
    const paths = { circle: "M8 2a6 6 0 1 0 .01 0z", square: "M2 2h12v12H2z", diamond: "M8 1l7 7-7 7-7-7z" };
    list.replaceChildren(...entries.map(([text, colour, symbol, hatched]) => {
      const item = document.createElement("li");
      const space = "http://www.w3.org/2000/svg";
      const svg = document.createElementNS(space, "svg");
      svg.setAttribute("viewBox", "0 0 16 16");
      for (const [path, paint] of [[paths[symbol], { fill: colour }], ...(hatched ? [["M2 14L14 2", { stroke: data.colours.block, "stroke-width": 3 }]] : [])]) {
        const shape = document.createElementNS(space, "path");
        shape.setAttribute("d", path);
        for (const [key, value] of Object.entries(paint)) shape.setAttribute(key, value);
        svg.append(shape);
      }
      item.append(svg, text);
      return item;
    }));
  }

  // --- everything together ---------------------------------------------------------------------
  const scatters = find("chart-first") ? ["first", "second"] : [];
  const stacks = find("chart-components") ? ["components", "layers"] : [];
  // Drawing takes rectangles away, which Plotly reports like a selection of nothing by hand.
  let drawing = 0;
  const drawn = (action) => {
    drawing += 1;
    return Promise.resolve(action()).finally(() => (drawing -= 1));
  };
  Object.assign(archsimPage, { data, find, baseLayout, config, number, plain, legend, kinds, narrow, ticks });
  const showCurves = () => (archsimPage.curves ? archsimPage.curves() : null);
  const showCharts = () => drawn(() => Promise.all([...scatters.map(scatter), ...stacks.map(bars), showCurves()]));
  function show() {
    if (table) showTable();
    return showCharts();
  }
  function mark(places) {
    state.marks = new Set(places);
    return show();
  }
  const on = (id, event, action) => { if (find(id)) find(id).addEventListener(event, action); };

  if (table) {
    for (const row of rows) {
      row.querySelector(".mark").addEventListener("change", (event) => {
        const place = Number(row.dataset.place);
        if (event.target.checked) state.marks.add(place); else state.marks.delete(place);
        show();
      });
    }
  }
  on("filter", "input", () => showTable());
  on("only-marked", "change", () => showTable());
  on("all-columns", "change", (event) => table.classList.toggle("all", event.target.checked));
  on("unmark", "click", () => mark([]));
  if (find("sigma")) find("sigma").selectedIndex = data.sigmas.indexOf(state.sigma);
  on("sigma", "change", (event) => {
    state.sigma = event.target.value === "" ? null : Number(event.target.value);
    show();
  });
  on("quantity", "change", () => stacks.forEach(bars));
  on("shares", "change", () => stacks.forEach(bars));
  scatters.forEach((which, at) => {
    find("metric-" + which).value = data.starts[at];
    on("metric-" + which, "change", () => drawn(() => scatter(which)));
  });
  if (scatters.length) {
    const present = kinds.filter((kind) => data.points.some((point) => point.design === kind[0]));
    legend("trade-off-legend", present.map((kind) => [kind[1], data.colours.series[kind[3]], kind[2]]));
  }

  // The theme is kept with this entry of the history: a reload remembers it, other pages do not.
  const preferred = window.matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : preferred.matches);
  function showTheme(theme) {
    if (theme) root.dataset.theme = theme;
    find("theme").setAttribute("aria-pressed", String(isDark()));
  }
  on("theme", "click", () => {
    const theme = isDark() ? "light" : "dark";
    history.replaceState({ theme }, "");
    showTheme(theme);
  });
  preferred.addEventListener("change", () => showTheme());
  showTheme(history.state && history.state.theme);

  const sizes = find("chart-curves") ? ["curves"] : [];
  const charts = () => [...scatters, ...stacks, ...sizes].map((which) => find("chart-" + which));
  // Paper has all designs: nobody can choose another sigma there.
  window.addEventListener("beforeprint", () => { if (table) showTable(true); });
  window.addEventListener("afterprint", () => { if (table) showTable(); });
  const printed = (chart) => (chart.closest(".pair") ? 490 : 1000);
  window.addEventListener("beforeprint", () => charts().forEach((chart) => Plotly.relayout(chart, { width: printed(chart) })));
  window.addEventListener("afterprint", () => charts().forEach((chart) => Plotly.relayout(chart, { width: null, autosize: true })));
  let wasNarrow = narrow();
  window.addEventListener("resize", () => {
    if (narrow() !== wasNarrow) { wasNarrow = narrow(); showCharts(); }
  });

  // Charts wait for the last part of the script.
  archsimPage.start = () => show().then(() => {
    for (const which of scatters) {
      const chart = find("chart-" + which);
      chart.on("plotly_selected", (event) => {
        if (drawing || !event || !event.points) return;
        mark(event.points.map((point) => point.customdata).filter((place) => place !== undefined));
      });
      chart.on("plotly_deselect", () => { if (!drawing) mark([]); });
    }
    root.dataset.ready = "true";
  });
})();
