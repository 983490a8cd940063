// Tables: every heading sorts; the designs are filtered by parts of names and conditions on columns.
const archsimPage = {};
(function () {
  "use strict";

  function sortBy(table, heading) {
    const place = heading.cellIndex;
    const up = heading.getAttribute("aria-sort") !== "ascending";
    const isText = heading.classList.contains("text");
    const key = (row) => row.cells[place].dataset.value;
    const ordered = Array.from(table.tBodies[0].rows).sort((one, other) => {
      const [a, b] = [key(one), key(other)];
      // What was not computed is last, whatever the direction.
      if (a === "" || b === "") return (a === "") - (b === "");
      const order = isText ? a.localeCompare(b) : Number(a) - Number(b);
      return up ? order : -order;
    });
    for (const other of table.tHead.rows[0].cells) other.setAttribute("aria-sort", "none");
    heading.setAttribute("aria-sort", up ? "ascending" : "descending");
    table.tBodies[0].append(...ordered);
  }

  for (const table of document.querySelectorAll("table")) {
    for (const heading of table.tHead.rows[0].cells) {
      const button = heading.querySelector(".sort");
      if (button) button.addEventListener("click", () => sortBy(table, heading));
    }
  }

  const factors = { "": 1, k: 1e3, m: 1e6, "%": 1 };
  const signs = {
    "<": (a, b) => a < b, ">": (a, b) => a > b, "=": (a, b) => a === b,
    "<=": (a, b) => a <= b, ">=": (a, b) => a >= b,
  };
  const condition = /^(.+?)\s*(<=|>=|<|>|=)\s*(-?\d*\.?\d+(?:e[+-]?\d+)?)\s*([km%]?)$/;

  function column(table, name) {
    const heads = Array.from(table.tHead.rows[0].cells);
    const title = (head) => head.textContent.trim().toLowerCase().replace(/\s+/g, " ");
    return heads.find((head) => title(head).startsWith(name)) || heads.find((head) => title(head).includes(name));
  }

  // Terms are comma-separated; each is a condition on a column, or a part of the row's name.
  // What is neither shows everything and says so: half a condition is what typing one looks like.
  archsimPage.terms = function (table, text) {
    const named = (row, term) => row.cells[0].textContent.toLowerCase().includes(term);
    const rows = Array.from(table.tBodies[0].rows);
    return text.toLowerCase().split(",").map((term) => term.trim()).filter(Boolean).map((term) => {
      const match = condition.exec(term);
      const head = match && column(table, match[1]);
      const isName = !/[<>=]/.test(term) || rows.some((row) => named(row, term));
      if (!head && isName) return { test: (row) => named(row, term) };
      if (!head) return { unknown: match ? "no column " + match[1] : "not understood: " + term, test: () => true };
      const wanted = Number(match[3]) * factors[match[4]];
      const factor = head.classList.contains("percent") ? 100 : 1;
      return {
        test: (row) => {
          const value = row.cells[head.cellIndex].dataset.value;
          return value !== "" && signs[match[2]](factor * Number(value), wanted);
        },
      };
    });
  };
})();
