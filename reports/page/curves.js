// Curves of sweeps: one chart, along the size of the shared block or the bits of a cell.
(function () {
  "use strict";
  const { data, find, baseLayout, config, number, plain, legend, kinds, narrow, ticks } = archsimPage;
  const chart = find("chart-curves");
  const dashes = ["solid", "dash", "dot", "dashdot", "longdash"];
  const fill = (select, entries) => {
    select.replaceChildren(...entries.map(({ key, label, unit }) => {
      const option = document.createElement("option");
      option.value = key;
      option.textContent = label + (unit ? ", " + unit : "");
      return option;
    }));
  };
  const sweep = () => data.curves[find("curve-sweep") ? Number(find("curve-sweep").value) : 0];
  const named = (entries, key) => entries.find((entry) => entry.key === key);

  const said = (size, label) => size + " " + (size === 1 ? label.replace(/^(bit|channel)s/, "$1") : label);

  // One line for each placement and each value of the other sizes; a level where a design has no such size.
  function lines(curves, axis) {
    const others = curves.axes.filter((entry) => entry.key !== axis);
    const byLook = new Map();
    for (const point of curves.points) {
      const other = others
        .filter((entry) => point.sizes[entry.key] !== null)
        .map((entry) => said(point.sizes[entry.key], entry.label.replace(" of the shared block", "")))
        .join(", ");
      const key = point.design + "|" + other;
      if (!byLook.has(key)) byLook.set(key, { design: point.design, other, points: [] });
      byLook.get(key).points.push(point);
    }
    return Array.from(byLook.values());
  }

  function hover(line, point, curves) {
    const sizes = curves.axes.filter((entry) => point.sizes[entry.key] !== null).map((entry) => entry.label + " " + point.sizes[entry.key]);
    const values = curves.metrics
      .filter((metric) => point.values[metric.key] !== null)
      .map((metric) => metric.label + " " + number(point.values[metric.key]) + " " + metric.unit);
    return ["<b>" + plain(placement(line.design)) + "</b>", ...sizes, ...values].join("<br>");
  }

  const placement = (design) => (kinds.find((kind) => kind[0] === design) || [design, design])[1];

  function trace(line, at, curves, axis, metric, sizes) {
    const kind = kinds.find((entry) => entry[0] === line.design) || kinds[0];
    const level = line.points[0].sizes[axis] === null;
    const points = level ? sizes.map(() => line.points[0]) : line.points.slice().sort((a, b) => a.sizes[axis] - b.sizes[axis]);
    const bars = metric === "accuracy" && !level;
    return {
      type: "scatter",
      mode: level ? "lines" : "lines+markers",
      name: plain(placement(line.design)),
      x: level ? sizes : points.map((point) => point.sizes[axis]),
      y: points.map((point) => point.values[metric]),
      text: points.map((point) => hover(line, point, curves)),
      hovertemplate: "%{text}<extra></extra>",
      line: { color: data.colours.series[kind[3]], width: 1.5, dash: dashes[at % dashes.length] },
      marker: { symbol: kind[2], size: 8, color: data.colours.series[kind[3]] },
      error_y: bars
        ? {
            type: "data", symmetric: false, thickness: 1, width: 3,
            array: points.map((point) => (point.high === null ? 0 : point.high - point.values[metric])),
            arrayminus: points.map((point) => (point.low === null ? 0 : point.values[metric] - point.low)),
          }
        : { visible: false },
    };
  }

  archsimPage.curves = function () {
    if (!chart) return null;
    const curves = sweep();
    const axis = find("curve-axis").value, metric = named(curves.metrics, find("curve-metric").value);
    const drawn = lines(curves, axis);
    const others = Array.from(new Set(drawn.map((line) => line.other).filter(Boolean)));
    const sizes = Array.from(new Set(curves.points.map((point) => point.sizes[axis]).filter((size) => size !== null))).sort((a, b) => a - b);
    const traces = drawn.map((line) => trace(line, Math.max(others.indexOf(line.other), 0), curves, axis, metric.key, sizes));
    const values = traces.flatMap((entry) => entry.y).filter((value) => value > 0);
    const isLog = metric.key !== "accuracy" && Math.max(...values) > 5 * Math.min(...values);
    const present = kinds.filter((kind) => drawn.some((line) => line.design === kind[0]));
    legend("legend-curves", present.map((kind) => [kind[1], data.colours.series[kind[3]], kind[2]]));
    const words = others.map((other, at) => other + ": " + ["solid", "dashed", "dotted", "dash and dot", "long dashes"][at % dashes.length]);
    find("curve-note").textContent =
      curves.name + ": " + curves.note + " A level line is a design without a block." +
      (words.length > 1 ? " Lines: " + words.join("; ") + "." : "") +
      (metric.key === "accuracy" ? " Both placements of a block have the same accuracy. Bars: 95 % intervals over chips." : "");
    const layout = Object.assign(baseLayout(), {
      height: narrow() ? 340 : 430,
      margin: { l: 64, r: 24, t: 16, b: 48 },
      dragmode: false,
      xaxis: { type: "log", title: { text: named(curves.axes, axis).label }, tickmode: "array", tickvals: sizes, ticktext: sizes.map(String) },
      yaxis: { type: isLog ? "log" : "linear", title: { text: metric.label + (metric.unit ? ", " + metric.unit : "") }, automargin: true },
    });
    if (isLog) Object.assign(layout.yaxis, ticks(values));
    else if (metric.key !== "accuracy") layout.yaxis.rangemode = "tozero";
    chart.style.minHeight = layout.height + "px";
    return Plotly.react(chart, traces, layout, Object.assign({}, config, { displayModeBar: false }));
  };

  if (chart) {
    const refill = () => { fill(find("curve-axis"), sweep().axes); fill(find("curve-metric"), sweep().metrics); };
    refill();
    if (find("curve-sweep")) find("curve-sweep").addEventListener("change", () => { refill(); archsimPage.curves(); });
    for (const name of ["curve-axis", "curve-metric"]) find(name).addEventListener("change", archsimPage.curves);
  }
  archsimPage.start();
})();
