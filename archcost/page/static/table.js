// Tables that are sorted by a click on a column's head: first in the column's own direction, then
// the other way round, then as they were. Rows without a value stay last.
"use strict";
(() => {
  const collator = new Intl.Collator("en", { numeric: true, sensitivity: "base" });

  const makeSortable = (table) => {
    const body = table.tBodies[0];
    const original = [...body.rows];
    const heads = [...table.tHead.rows[0].cells];

    const value = (row, column) => {
      const cell = row.cells[column];
      if (cell.dataset.v !== undefined) return Number(cell.dataset.v);
      return heads[column].dataset.kind === "text" ? cell.textContent.trim() || null : null;
    };
    const sort = (column, direction) => {
      const rows = original.map((row) => [row, value(row, column)]);
      const known = rows.filter(([, own]) => own !== null);
      const unknown = rows.filter(([, own]) => own === null);
      const compare = (a, b) =>
        typeof a === "number" && typeof b === "number" ? a - b : collator.compare(a, b);
      known.sort(([, a], [, b]) => (direction === "descending" ? compare(b, a) : compare(a, b)));
      body.append(...[...known, ...unknown].map(([row]) => row));
    };
    const show = (column, direction) => {
      heads.forEach((head, index) => {
        if (head.dataset.kind !== "sentences") {
          head.setAttribute("aria-sort", index === column ? direction : "none");
        }
      });
    };

    heads.forEach((head, column) => {
      if (head.dataset.kind === "sentences") return;
      const button = document.createElement("button");
      button.type = "button";
      button.className = "sort";
      if (!head.textContent.trim()) button.setAttribute("aria-label", head.dataset.key);
      button.append(...head.childNodes);
      head.append(button);
      const first = "descending" in head.dataset ? "descending" : "ascending";
      const second = first === "descending" ? "ascending" : "descending";
      button.addEventListener("click", () => {
        const now = head.getAttribute("aria-sort");
        const next = now === first ? second : now === second ? "none" : first;
        if (next === "none") body.append(...original);
        else sort(column, next);
        show(column, next);
      });
    });
    show(-1, "none");
  };

  document.querySelectorAll("table[data-sortable]").forEach(makeSortable);
})();
