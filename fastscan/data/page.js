"use strict";
// The script of a page of results: tables that sort and pictures that can be enlarged.

/** Order of two cells: numbers by their values, text by its letters, and what is missing last either way. */
function compared(one, other, sign) {
  if (one === null || other === null) return (one === null) - (other === null);
  if (typeof one === "number" && typeof other === "number") return sign * (one - other);
  return sign * String(one).localeCompare(String(other), "en", { numeric: true });
}

function valueOf(cell) {
  if (cell.dataset.value !== undefined) return Number(cell.dataset.value);
  const text = cell.textContent.trim();
  return text === "" || text === "\u2013" ? null : text;
}

function sortBy(table, header, number) {
  const descending = header.getAttribute("aria-sort") === "ascending";
  for (const each of table.querySelectorAll("thead th")) each.removeAttribute("aria-sort");
  header.setAttribute("aria-sort", descending ? "descending" : "ascending");
  const body = table.tBodies[0];
  const rows = Array.from(body.rows, (row) => [valueOf(row.cells[number]), row]);
  rows.sort((one, other) => compared(one[0], other[0], descending ? -1 : 1));
  body.append(...rows.map((each) => each[1]));
}

/** Headers become buttons here, because without a script nothing sorts. */
function makeSortable(table) {
  Array.from(table.querySelectorAll("thead tr:last-child th"), (header, number) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...header.querySelector("span").childNodes);
    header.firstElementChild.replaceWith(button);
    button.addEventListener("click", () => sortBy(table, header, number));
    if (Array.from(table.tBodies[0].rows).some((row) => row.cells[number].dataset.value !== undefined)) {
      header.classList.add("number");
    }
  });
}

function makeEnlargeable(button, dialog) {
  button.addEventListener("click", () => {
    const picture = button.querySelector("img"), shown = dialog.querySelector("img");
    shown.src = picture.src;
    shown.alt = picture.alt;
    dialog.showModal();
  });
}

if (typeof document !== "undefined") {
  const dialog = document.querySelector("dialog");
  dialog.addEventListener("click", (event) => event.target.closest("form") || dialog.close());
  document.querySelectorAll("table.sorted").forEach(makeSortable);
  document.querySelectorAll("button.enlarge").forEach((button) => makeEnlargeable(button, dialog));
}
