// A click on a network in a figure marks its row.
"use strict";
(() => {
  const picks = new Map(Object.entries(JSON.parse(document.getElementById("picks").textContent)));
  const rows = [...document.querySelectorAll("#compared tbody tr")];
  document.addEventListener("figure-pick", ({ detail: { name } }) => {
    const row = rows.find((one) => one.dataset.name === picks.get(name));
    for (const one of rows) one.classList.toggle("selected", one === row);
    row?.scrollIntoView({ block: "center", inline: "nearest" });
  });
})();
