// A click on a network in a figure opens its page.
"use strict";
(() => {
  const targets = JSON.parse(document.getElementById("targets").textContent);
  document.addEventListener("figure-pick", ({ detail: { name } }) => {
    if (Object.hasOwn(targets, name)) location.href = targets[name];
  });
})();
