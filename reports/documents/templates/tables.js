"use strict";
// Tables that sort and filter. They are whole without this script: it only adds buttons to their headings.

// A cell's value: a number where it has one (an empty one comes last), else its text.
function cellValue(row, column) {
  const cell = row.cells[column];
  if (cell === undefined) return null;
  if ("v" in cell.dataset) return Number(cell.dataset.v);
  const text = cell.textContent.trim();
  return ["", "–", "none"].includes(text) ? null : text;
}

function compareCells(a, b) {
  if (typeof a === "number" && typeof b === "number") return a - b;
  return String(a).localeCompare(String(b), undefined, { numeric: true });
}

function sortBy(table, column, descending) {
  const rows = [...table.tBodies[0].rows].map(row => ({ row, value: cellValue(row, column) }));
  const known = rows.filter(r => r.value !== null), unknown = rows.filter(r => r.value === null);
  known.sort((a, b) => (descending ? -1 : 1) * compareCells(a.value, b.value));
  table.tBodies[0].append(...[...known, ...unknown].map(r => r.row));
  [...table.tHead.rows[0].cells].forEach((head, i) => {
    if (i === column) head.setAttribute("aria-sort", descending ? "descending" : "ascending");
    else head.removeAttribute("aria-sort");
  });
}

// Headings become buttons; a heading that is pressed again turns the order round.
function makeSortable(table) {
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    if (!head.textContent.trim()) return;
    const button = document.createElement("button");
    button.append(...head.childNodes);
    button.addEventListener("click", () => sortBy(table, column, head.getAttribute("aria-sort") === "ascending"));
    head.replaceChildren(button);
  });
}

// Rows whose first two cells hold the text; how many there are is said.
function filterRows(body, wanted, said) {
  let shown = 0;
  for (const row of body.rows) {
    row.hidden = !`${row.cells[0].textContent} ${row.cells[1].textContent}`.toLowerCase().includes(wanted.toLowerCase());
    shown += row.hidden ? 0 : 1;
  }
  said.textContent = wanted ? `${shown} of ${body.rows.length} rows` : "";
}

for (const table of document.querySelectorAll("table.sortable")) if (table.tHead) makeSortable(table);
