// The page of a sweep: one state (values that are let through, points that are picked), shown as a
// chart and as a table.
(function () {
  "use strict";
  const root = document.documentElement;
  root.classList.add("js");
  const find = (id) => document.getElementById(id);
  const data = JSON.parse(find("data").textContent);
  const names = Object.keys(data.levels);
  const through = Object.fromEntries(names.map((name) => [name, new Set(data.levels[name].map(String))]));
  let picked = null;
  const most = 300;
  const narrow = () => window.innerWidth < 640;
  const digits = new Intl.NumberFormat("en", { maximumSignificantDigits: 4 });
  const plain = (text) =>
    String(text).replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
  const axisOf = (key) => data.axes.find((axis) => axis.key === key);
  const accuracyOf = (point) => point.measured || point.predicted;
  const valueOf = (point, axis) => {
    const raw = axis.key === "accuracy" ? (accuracyOf(point) || [null])[0] : point.values[axis.key];
    return raw === null ? null : raw / axis.factor;
  };
  const isOn = (id) => !find(id) || find(id).checked;

  function visible() {
    const onlyFront = find("only-front").checked;
    return data.points.filter((point) => {
      if (onlyFront && !point.front && !point.expected) return false;
      if (point.measured ? !isOn("show-measured") : point.predicted && !isOn("show-predicted")) return false;
      return names.every((name) => through[name].has(String(point.settings[name])));
    });
  }

  function hover(point) {
    const lines = ["<b>point " + point.point + "</b>"];
    for (const [name, value] of Object.entries(point.settings)) lines.push(plain(name) + " " + plain(value));
    for (const axis of data.axes) {
      if (axis.key === "accuracy") continue;
      const value = valueOf(point, axis);
      if (value !== null) lines.push(plain(axis.label) + " " + digits.format(value));
    }
    for (const kind of ["measured", "predicted"]) {
      const [at, low, high] = (point[kind] || []).map((part) => (100 * part).toFixed(1));
      if (at !== undefined) lines.push("accuracy " + kind + " " + at + " % (" + low + " to " + high + ")");
    }
    return lines.join("<br>");
  }

  function trace(points, across, up, colour, label) {
    const spread = (side) => points.map((point) => {
      const known = accuracyOf(point);
      if (up.key !== "accuracy" || known === null || !(point.front || point.expected)) return 0;
      return Math.abs(known[side] - known[0]) / up.factor;
    });
    const big = (point) => point.front || (point.expected && !point.measured);
    return {
      type: "scatter",
      mode: "markers",
      name: label,
      x: points.map((point) => valueOf(point, across)),
      y: points.map((point) => valueOf(point, up)),
      text: points.map(hover),
      customdata: points.map((point) => point.point),
      hovertemplate: "%{text}<extra></extra>",
      error_y: { type: "data", symmetric: false, array: spread(2), arrayminus: spread(1), thickness: 1, width: 0 },
      marker: {
        color: colour,
        size: points.map((point) => (big(point) ? 11 : 6)),
        opacity: points.map((point) => (big(point) ? 1 : 0.55)),
        symbol: points.map((point) => (point.predicted && !point.measured ? "circle-open" : "circle")),
      },
    };
  }

  function chart() {
    const points = visible();
    const [across, up] = [axisOf(find("across").value), axisOf(find("up").value)];
    const by = find("colour").value;
    const levels = by ? data.levels[by] : [""];
    const colourOf = (place) => data.colours[place % data.colours.length];
    const traces = levels.map((level, place) => trace(
      points.filter((point) => !by || String(point.settings[by]) === String(level)),
      across, up, colourOf(place), by ? String(level) : "points"
    ));
    find("legend").replaceChildren(...(by ? levels : []).map((level, place) => {
      const item = document.createElement("li");
      const dot = document.createElement("span");
      dot.textContent = "● ";
      dot.style.color = colourOf(place);
      item.append(dot, String(level === null ? "none" : level));
      return item;
    }));
    const shared = (axis) => ({ type: axis.log ? "log" : "linear", title: { text: axis.label }, automargin: true, nticks: narrow() ? 4 : 8 });
    const layout = {
      font: { family: getComputedStyle(root).fontFamily, size: 12 },
      paper_bgcolor: "transparent", plot_bgcolor: "transparent", showlegend: false, hovermode: "closest",
      hoverlabel: { bgcolor: "#25282d", bordercolor: "#25282d", font: { color: "#ffffff", size: 12 }, align: "left" },
      height: narrow() ? 360 : 520,
      margin: { l: 56, r: 24, t: 24, b: 48 },
      dragmode: window.matchMedia("(pointer: coarse)").matches ? false : "select",
      xaxis: shared(across), yaxis: shared(up),
    };
    const config = { responsive: true, displaylogo: false, plotlyServerURL: "", modeBarButtons: [["toImage"], ["select2d", "zoom2d", "pan2d", "autoScale2d"]] };
    Plotly.react(find("chart"), traces, layout, config);
    table(points);
  }

  function cell(text, raw, kind) {
    const made = document.createElement("td");
    made.textContent = text;
    made.dataset.value = raw === null ? "" : raw;
    made.className = kind;
    return made;
  }

  function table(points) {
    const fronts = points.filter((point) => point.front || point.expected);
    const chosen = picked ? points.filter((point) => picked.has(point.point)) : fronts;
    const body = find("points-table").tBodies[0];
    const ordered = chosen.slice().sort((one, other) => valueOf(one, data.axes[0]) - valueOf(other, data.axes[0]));
    body.replaceChildren(...ordered.slice(0, most).map((point) => {
      const row = document.createElement("tr");
      row.append(cell(point.point, point.point, "number"));
      for (const value of Object.values(point.settings)) row.append(cell(value === null ? "–" : value, value, "text"));
      for (const axis of data.axes) {
        const value = valueOf(point, axis);
        row.append(cell(value === null ? "–" : digits.format(value), value, "number"));
      }
      if (axisOf("accuracy")) {
        const kind = point.measured ? "measured" : point.predicted ? "predicted" : "not evaluated";
        row.append(cell(kind, kind, "text"));
      }
      const command = document.createElement("td");
      const code = document.createElement("code");
      code.textContent = point.command;
      command.append(code);
      row.append(command);
      return row;
    }));
    find("status").textContent = points.length + " of " + data.points.length + " points shown, " +
      Math.min(most, chosen.length) + (picked ? " picked" : " of the front") + " in the table";
  }

  function option(select, value, text) {
    const made = document.createElement("option");
    made.value = value;
    made.textContent = text;
    select.append(made);
  }

  for (const axis of data.axes) {
    option(find("across"), axis.key, axis.label);
    option(find("up"), axis.key, axis.label);
  }
  find("up").value = data.axes[data.axes.length - 1].key;
  option(find("colour"), "", "none");
  for (const name of names) option(find("colour"), name, name);
  if (names.length) find("colour").value = names[0];

  for (const name of names) {
    const group = document.createElement("fieldset");
    const legend = document.createElement("legend");
    legend.textContent = name;
    group.append(legend);
    const values = data.levels[name];
    for (const value of values.slice(0, 24)) {
      const label = document.createElement("label");
      const box = document.createElement("input");
      box.type = "checkbox";
      box.checked = true;
      box.addEventListener("change", () => {
        if (box.checked) through[name].add(String(value));
        else through[name].delete(String(value));
        chart();
      });
      label.append(box, " " + (value === null ? "none" : value));
      group.append(label);
    }
    if (values.length > 24) group.append("and " + (values.length - 24) + " more, always shown");
    find("brush").append(group);
  }

  for (const id of ["across", "up", "colour", "show-measured", "show-predicted", "only-front"]) {
    if (find(id)) find(id).addEventListener("change", chart);
  }
  find("reset").addEventListener("click", () => {
    picked = null;
    for (const name of names) data.levels[name].forEach((value) => through[name].add(String(value)));
    for (const box of document.querySelectorAll("#brush input")) box.checked = true;
    chart();
  });
  find("theme").addEventListener("click", () => {
    const prefers = window.matchMedia("(prefers-color-scheme: dark)").matches;
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : prefers;
    root.dataset.theme = dark ? "light" : "dark";
    find("theme").setAttribute("aria-pressed", String(!dark));
  });
  chart();
  find("chart").on("plotly_selected", (chosen) => {
    picked = chosen && chosen.points.length ? new Set(chosen.points.map((point) => point.customdata)) : null;
    table(visible());
  });
  find("chart").on("plotly_click", (chosen) => {
    picked = new Set(chosen.points.map((point) => point.customdata));
    table(visible());
  });
  root.dataset.ready = "true";
})();
