// The tables of the layers: which grouping is shown, and which rows are selected. What is selected
// is a set of layers, the same for the tables and the diagram, which hear of it by the event
// "archcost:select" with { layers, from } and say it with the same.
"use strict";
window.archcostLayers = (text) => {
  const found = new Set();
  for (const part of (text || "").split(",")) {
    if (!part) continue;
    const [first, last = first] = part.split("-").map(Number);
    for (let place = first; place <= last; place++) found.add(place);
  }
  return found;
};
(() => {
  const chooser = document.getElementById("view");
  if (!chooser) return;
  const views = [...document.querySelectorAll(".view")];
  const layersOf = new Map();
  for (const row of document.querySelectorAll(".view tr[data-layers]")) {
    layersOf.set(row, window.archcostLayers(row.dataset.layers));
  }

  const shown = () => views.find((view) => !view.hidden);
  const rowsOf = (view) => [...view.querySelectorAll("tbody tr")];
  const say = (layers, from) =>
    document.dispatchEvent(new CustomEvent("archcost:select", { detail: { layers, from } }));

  const show = (by) => {
    chooser.value = by;
    for (const view of views) view.hidden = view.dataset.by !== by;
    document.dispatchEvent(new CustomEvent("archcost:view"));
  };
  chooser.addEventListener("change", () => show(chooser.value));

  // One row of a table is reached with Tab, the others with the arrows.
  const reach = (row, focus) => {
    for (const other of row.parentElement.querySelectorAll('tr[tabindex="0"]')) other.tabIndex = -1;
    row.tabIndex = 0;
    if (focus) row.focus();
  };
  const neighbour = (row, step) => {
    let next = row;
    do next = step > 0 ? next.nextElementSibling : next.previousElementSibling;
    while (next && next.hidden);
    return next;
  };
  const toggle = (row) => {
    say(row.classList.contains("selected") ? new Set() : layersOf.get(row) || new Set(), "table");
  };
  for (const view of views) {
    const rows = rowsOf(view);
    if (rows.length) rows[0].tabIndex = 0;
    const body = view.querySelector("tbody");
    body.addEventListener("click", (event) => {
      const row = event.target.closest("tr");
      if (!row || String(getSelection())) return; // whoever marks a text does not select a row
      reach(row, false);
      toggle(row);
    });
    body.addEventListener("keydown", (event) => {
      const row = event.target.closest("tr");
      const steps = { ArrowDown: 1, ArrowUp: -1 };
      if (event.key in steps) {
        const next = neighbour(row, steps[event.key]);
        if (next) reach(next, true);
      } else if (event.key === "Home" || event.key === "End") {
        const seen = rowsOf(view).filter((other) => !other.hidden);
        if (seen.length) reach(event.key === "Home" ? seen[0] : seen[seen.length - 1], true);
      } else if (event.key === "Enter" || event.key === " ") {
        toggle(row);
      } else if (event.key === "Escape") {
        say(new Set(), "table");
      } else {
        return;
      }
      event.preventDefault();
    });
  }

  document.addEventListener("archcost:select", ({ detail: { layers, from } }) => {
    const whole = (row) => {
      const own = layersOf.get(row);
      return own && own.size > 0 && [...own].every((place) => layers.has(place));
    };
    for (const row of layersOf.keys()) {
      const selected = layers.size > 0 && whole(row);
      row.classList.toggle("selected", selected);
      if (selected) row.setAttribute("aria-current", "true");
      else row.removeAttribute("aria-current");
    }
    if (from === "table" || !layers.size) return;
    // A box of a few layers is found in the table of layers, whatever is shown.
    let first = shown().querySelector("tr.selected");
    if (!first) {
      show("layer");
      first = shown().querySelector("tr.selected");
    }
    if (!first) return;
    if (first.hidden) {
      const field = document.getElementById("filter");
      field.value = "";
      field.dispatchEvent(new Event("input"));
    }
    reach(first, false);
    // First within the table's own field, then that into sight where it is not.
    const field = first.closest(".scroll");
    const gap = (field.clientHeight - first.offsetHeight) / 2;
    field.scrollTop += first.getBoundingClientRect().top - field.getBoundingClientRect().top - gap;
    field.scrollIntoView({ block: "nearest" });
  });
})();
