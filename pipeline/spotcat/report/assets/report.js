"use strict";
// The table of stars: sorts, filters and searches; only the rows in view are in the page.
// Data come from data.js, a script and not a request, so that the page works from file://.
(() => {
  const data = window.SPOTCAT;
  const ROW = 30; // height of a row [px], as in report.css
  const SPARE = 12; // rows drawn above and below those in view

  const view = document.getElementById("view");
  const head = document.querySelector("#stars thead");
  const body = document.querySelector("#stars tbody");
  const search = document.getElementById("search");
  const count = document.getElementById("count");
  const columns = data.columns;
  const total = data.values[0].length;

  let order = Array.from({ length: total }, (_, row) => row);
  let sorted = { column: -1, down: false };
  let frame = 0;

  const words = columns.map((column) => column.words || null);

  // What a cell shows; a mask is the words of its bits.
  function text(column, row) {
    const value = data.values[column][row];
    if (value === null) return "";
    if (columns[column].kind === "code") return words[column][value] ?? String(value);
    if (columns[column].kind === "mask") {
      const set = Object.keys(words[column]).filter((bit) => value & bit);
      return set.map((bit) => words[column][bit]).join(", ");
    }
    const marks = columns[column].marks;
    if (!marks) return String(value);
    // A candidate has a question mark, a limit its sign.
    const code = data.values[marks.column][row];
    return ((marks.before || {})[code] || "") + value + ((marks.behind || {})[code] || "");
  }

  // A filter of numbers: > < >= <= =, a range "5..10", or "-" for missing values.  Null if it says nothing yet.
  function numbers(wanted) {
    const range = wanted.match(/^(-?[\d.e+]+)?\s*\.\.\s*(-?[\d.e+]+)?$/i);
    if (range && (range[1] || range[2])) {
      const low = range[1] ? Number(range[1]) : -Infinity;
      const high = range[2] ? Number(range[2]) : Infinity;
      return (value) => value !== null && value >= low && value <= high;
    }
    if (wanted === "-") return (value) => value === null;
    const parts = wanted.match(/^(>=|<=|>|<|=)?\s*(-?[\d.]+(?:e[+-]?\d+)?)$/i);
    if (!parts) return null;
    const limit = Number(parts[2]);
    const test = {
      ">": (value) => value > limit,
      "<": (value) => value < limit,
      ">=": (value) => value >= limit,
      "<=": (value) => value <= limit,
      "=": (value) => value === limit,
    }[parts[1] || "="];
    return (value) => value !== null && test(value);
  }

  function filters() {
    const active = [];
    head.querySelectorAll("input").forEach((input) => {
      const column = Number(input.dataset.column);
      const wanted = input.value.trim().toLowerCase();
      if (!wanted) return;
      if (columns[column].kind === "number") {
        const test = numbers(wanted);
        input.setAttribute("aria-invalid", test === null);
        if (test) active.push((row) => test(data.values[column][row]));
      } else {
        active.push((row) => text(column, row).toLowerCase().includes(wanted));
      }
    });
    const words = search.value.trim().toLowerCase().split(/\s+/).filter(Boolean);
    if (words.length) {
      const texts = columns.map((_, column) => column).filter((column) => columns[column].kind !== "number");
      active.push((row) => {
        const all = texts.map((column) => text(column, row)).join(" ").toLowerCase();
        return words.every((word) => all.includes(word));
      });
    }
    return active;
  }

  function apply() {
    head.querySelectorAll("input").forEach((input) => input.removeAttribute("aria-invalid"));
    const active = filters();
    const rows = [];
    for (let row = 0; row < total; row++) if (active.every((test) => test(row))) rows.push(row);
    if (sorted.column >= 0) {
      const kind = columns[sorted.column].kind;
      const keys = kind === "number" ? data.values[sorted.column] : null;
      const key = (row) => (keys ? keys[row] : text(sorted.column, row) || null);
      const sign = sorted.down ? -1 : 1;
      rows.sort((a, b) => {
        const one = key(a), other = key(b);
        if (one === null || other === null) return (one === null) - (other === null) || a - b;
        const sense = keys ? one - other : one < other ? -1 : one > other ? 1 : 0;
        return sign * sense || a - b;
      });
    }
    order = rows;
    count.textContent = `${rows.length.toLocaleString("en")} of ${total.toLocaleString("en")} stars`;
    view.scrollTop = 0;
    draw();
  }

  function spacer(height) {
    const row = document.createElement("tr");
    row.className = "spacer";
    row.setAttribute("aria-hidden", "true");
    row.style.height = `${height}px`;
    return row;
  }

  function draw() {
    frame = 0;
    const first = Math.max(0, Math.floor(view.scrollTop / ROW) - SPARE);
    const last = Math.min(order.length, Math.ceil((view.scrollTop + view.clientHeight) / ROW) + SPARE);
    const rows = [spacer(first * ROW)];
    for (let place = first; place < last; place++) rows.push(line(order[place], place));
    rows.push(spacer((order.length - last) * ROW));
    body.replaceChildren(...rows);
    body.parentElement.setAttribute("aria-rowcount", order.length);
  }

  function line(row, place) {
    const line = document.createElement("tr");
    line.setAttribute("aria-rowindex", place + 1);
    columns.forEach((column, number) => {
      const cell = document.createElement(number ? "td" : "th");
      if (!number) cell.scope = "row";
      if (column.kind === "number") cell.className = "number";
      if (!number && data.pages[row]) {
        const link = document.createElement("a");
        link.href = data.pages[row];
        link.textContent = text(number, row);
        cell.append(link);
      } else {
        cell.textContent = text(number, row);
        cell.title = cell.textContent;
      }
      line.append(cell);
    });
    return line;
  }

  function sortBy(column) {
    sorted = { column, down: sorted.column === column && !sorted.down };
    head.querySelectorAll("th[data-column]").forEach((cell) => {
      const mine = Number(cell.dataset.column) === column;
      cell.setAttribute("aria-sort", mine ? (sorted.down ? "descending" : "ascending") : "none");
    });
    apply();
  }

  head.querySelectorAll("button").forEach((button) => {
    button.addEventListener("click", () => sortBy(Number(button.closest("th").dataset.column)));
  });
  document.querySelectorAll("#search, #stars input").forEach((input) => input.addEventListener("input", apply));
  document.getElementById("clear").addEventListener("click", () => {
    document.querySelectorAll("#search, #stars input").forEach((input) => (input.value = ""));
    apply();
  });
  const later = () => (frame = frame || requestAnimationFrame(draw));
  view.addEventListener("scroll", later, { passive: true });
  window.addEventListener("resize", later);
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && document.activeElement.tagName !== "INPUT") {
      event.preventDefault();
      search.focus();
    }
  });
  apply();
})();
