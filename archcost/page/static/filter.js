// The field that filters rows: those stay in which each of its words is found.
"use strict";
(() => {
  const field = document.getElementById("filter");
  if (!field) return;
  const count = document.getElementById("filter-count");
  const place = document.getElementById(field.dataset.for);
  const tables = [...place.querySelectorAll("table[data-sortable]")];
  const rows = tables.flatMap((table) => [...table.tBodies[0].rows]);
  const texts = new Map(rows.map((row) => [row, row.textContent.toLowerCase()]));

  const apply = () => {
    const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const row of rows) {
      row.hidden = !words.every((word) => texts.get(row).includes(word));
    }
    for (const table of tables) {
      const none = [...table.tBodies[0].rows].every((row) => row.hidden);
      // A table alone keeps its head; of several those that have nothing are out of the way.
      if (tables.length > 1 && !place.hasAttribute("data-views")) {
        table.closest("section").hidden = none && words.length > 0;
      }
    }
    say(words.length > 0);
  };
  const say = (filtered) => {
    const seen = rows.filter((row) => !row.parentElement.closest("[hidden]"));
    const left = seen.filter((row) => !row.hidden).length;
    const what = count.dataset.what;
    count.textContent = filtered ? `${left} of ${seen.length} ${what}` : `${seen.length} ${what}`;
  };

  field.addEventListener("input", apply);
  document.addEventListener("archcost:view", apply);
  // What a browser has kept of the field over a reload holds again.
  apply();
})();
