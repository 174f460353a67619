// The diagram: moved and zoomed by its viewBox; pointing at a box shows what it costs, a click
// selects its layers, and layers that are selected elsewhere are marked and brought into sight.
"use strict";
(() => {
  const field = document.getElementById("diagram");
  if (!field) return;
  const boxes = JSON.parse(document.getElementById("boxes").textContent);
  const tip = document.getElementById("tip");
  const chooser = document.getElementById("level");
  const LARGEST = 8; // pixels a point
  const STEP = 1.3;
  const ARROW = 60; // pixels
  const CLICK = 5; // pixels that a pointer may move in a click

  const drawings = [...field.querySelectorAll(".drawing")].map((place) => {
    const svg = place.querySelector("svg");
    const [, , width, height] = svg.getAttribute("viewBox").split(" ").map(Number);
    // In the network's order, which Graphviz does not keep.
    const nodes = Object.keys(boxes)
      .map((id) => svg.getElementById(id))
      .filter(Boolean);
    for (const node of nodes) {
      node.querySelectorAll("title").forEach((title) => title.remove()); // the tip says it
      node.setAttribute("role", "button");
      node.setAttribute("aria-label", boxes[node.id].lines.join(", "));
      node.setAttribute("aria-pressed", "false");
      node.tabIndex = -1;
    }
    svg.setAttribute("role", "group");
    svg.removeAttribute("width");
    svg.removeAttribute("height");
    return { place, svg, width, height, nodes, level: place.dataset.level, view: null };
  });
  const layersOf = new Map(
    Object.entries(boxes).map(([id, box]) => [id, window.archcostLayers(box.layers)]),
  );
  field.classList.add("live");
  let selected = new Set();
  const current = () => drawings.find((drawing) => !drawing.place.hidden);

  // --- what is seen: view.x and view.y in points, view.scale in pixels a point -----------------

  const size = () => [Math.max(1, field.clientWidth), Math.max(1, field.clientHeight)];
  const draw = (drawing) => {
    const [across, down] = size();
    const { view, width, height } = drawing;
    const [seenX, seenY] = [across / view.scale, down / view.scale];
    const kept = (at, seen, whole) => Math.min(Math.max(at, -0.8 * seen), whole - 0.2 * seen);
    view.x = kept(view.x, seenX, width);
    view.y = kept(view.y, seenY, height);
    drawing.svg.setAttribute("viewBox", `${view.x} ${view.y} ${seenX} ${seenY}`);
    hideTip();
  };
  const whole = (drawing) => {
    const [across, down] = size();
    const scale = Math.min(across / drawing.width, down / drawing.height, 2);
    drawing.view = {
      scale,
      x: (drawing.width - across / scale) / 2,
      y: (drawing.height - down / scale) / 2,
    };
    draw(drawing);
  };
  // At first it is as large as can be read: as wide as the field, from its beginning.
  const begin = (drawing) => {
    const [across, down] = size();
    const fits = Math.min(across / drawing.width, down / drawing.height);
    const scale = Math.min(1, Math.max(fits, Math.min(across / drawing.width, 1), 0.6));
    const x = (drawing.width - across / scale) / 2;
    const spare = down / scale - drawing.height;
    drawing.view = { scale, x, y: spare > 0 ? -spare / 2 : 0 };
    draw(drawing);
  };
  const zoom = (drawing, factor, at) => {
    const { view } = drawing;
    const [across, down] = size();
    const [x, y] = at || [across / 2, down / 2];
    const least = Math.min(across / drawing.width, down / drawing.height, 1) / 2;
    const scale = Math.min(LARGEST, Math.max(least, view.scale * factor));
    view.x += x / view.scale - x / scale;
    view.y += y / view.scale - y / scale;
    view.scale = scale;
    draw(drawing);
  };
  const move = (drawing, across, down) => {
    drawing.view.x -= across / drawing.view.scale;
    drawing.view.y -= down / drawing.view.scale;
    draw(drawing);
  };
  const inField = (event) => {
    const frame = field.getBoundingClientRect();
    return [event.clientX - frame.left - field.clientLeft, event.clientY - frame.top - field.clientTop];
  };
  // Moves only as far as needed, and not at all where all of the box is in sight.
  const bring = (drawing, node) => {
    const box = node.getBoundingClientRect();
    const frame = field.getBoundingClientRect();
    const inside = (a, b, c, d) => a >= c && b <= d;
    const seen =
      inside(box.left, box.right, frame.left, frame.right) &&
      inside(box.top, box.bottom, frame.top, frame.bottom);
    if (seen) return;
    move(
      drawing,
      (frame.left + frame.right - box.left - box.right) / 2,
      (frame.top + frame.bottom - box.top - box.bottom) / 2,
    );
  };

  // --- pointing at a box -----------------------------------------------------------------------

  function hideTip() {
    tip.hidden = true;
    field.querySelectorAll(".hot").forEach((node) => node.classList.remove("hot"));
  }
  const showTip = (node, at) => {
    hideTip();
    node.classList.add("hot");
    tip.replaceChildren(
      ...boxes[node.id].lines.map((line) => {
        const element = document.createElement("div");
        element.textContent = line;
        return element;
      }),
    );
    tip.hidden = false;
    const [across, down] = size();
    const besides = (place, extent, room) =>
      place + 14 + extent <= room ? place + 14 : Math.max(0, Math.min(place - 14 - extent, room - extent));
    tip.style.left = `${besides(at[0], tip.offsetWidth, across)}px`;
    tip.style.top = `${besides(at[1], tip.offsetHeight, down)}px`;
  };
  const nodeAt = (event) => {
    const node = event.target instanceof Element ? event.target.closest("g.node") : null;
    return node && node.id in boxes ? node : null;
  };

  // --- selecting -------------------------------------------------------------------------------

  const press = (node) => {
    const again = node.classList.contains("selected");
    const layers = again ? new Set() : layersOf.get(node.id);
    reach(node);
    document.dispatchEvent(
      new CustomEvent("archcost:select", { detail: { layers, from: "diagram" } }),
    );
  };
  const mark = () => {
    let first = null;
    for (const node of current().nodes) {
      const own = layersOf.get(node.id);
      const is = selected.size > 0 && [...own].some((place) => selected.has(place));
      node.classList.toggle("selected", is);
      node.setAttribute("aria-pressed", String(is));
      if (is && !first) first = node;
    }
    return first;
  };
  document.addEventListener("archcost:select", ({ detail }) => {
    selected = detail.layers;
    const first = mark();
    if (first && detail.from !== "diagram") bring(current(), first);
  });

  // --- the keyboard: the field itself, or one of its boxes ---------------------------------------

  const reach = (node) => {
    for (const other of current().nodes) other.tabIndex = other === node ? 0 : -1;
  };
  const go = (node) => {
    if (!node) return;
    reach(node);
    node.focus({ preventScroll: true });
    bring(current(), node);
    const [box, frame] = [node.getBoundingClientRect(), field.getBoundingClientRect()];
    showTip(node, [box.right - frame.left, box.top - frame.top]);
  };
  const ways = {
    ArrowLeft: [1, 0],
    ArrowRight: [-1, 0],
    ArrowUp: [0, 1],
    ArrowDown: [0, -1],
  };
  field.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const drawing = current();
    const node = nodeAt(event);
    const way = ways[event.key];
    if (event.key === "+" || event.key === "=") zoom(drawing, STEP);
    else if (event.key === "-") zoom(drawing, 1 / STEP);
    else if (event.key === "0") whole(drawing);
    else if (node && way) {
      go(drawing.nodes[drawing.nodes.indexOf(node) + (way[0] + way[1] < 0 ? 1 : -1)]);
    } else if (node && (event.key === "Enter" || event.key === " ")) press(node);
    else if (node && event.key === "Escape") field.focus();
    else if (way) move(drawing, way[0] * ARROW, way[1] * ARROW);
    else if (event.key === "Enter") {
      go(drawing.nodes.find((one) => one.classList.contains("selected")) || drawing.nodes[0]);
    } else return;
    event.preventDefault();
  });
  field.addEventListener("focusout", hideTip);

  // --- the mouse and fingers ---------------------------------------------------------------------

  const pointers = new Map();
  let pressed = null; // where the first pointer went down, and on which box
  let dragged = false;
  let scrolls = false; // a finger scrolls the page until the diagram has been tapped
  const apart = () => {
    const [a, b] = [...pointers.values()];
    return Math.hypot(a[0] - b[0], a[1] - b[1]);
  };
  field.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    const at = inField(event);
    pointers.set(event.pointerId, at);
    scrolls = event.pointerType === "touch" && !field.contains(document.activeElement);
    if (pointers.size === 1) {
      pressed = { at, node: nodeAt(event) };
      dragged = false;
      event.preventDefault(); // no text is marked; the focus goes where it is wanted
      if (!scrolls) (pressed.node || field).focus({ preventScroll: true });
    }
  });
  field.addEventListener("pointermove", (event) => {
    const at = inField(event);
    const before = pointers.get(event.pointerId);
    if (!before) {
      const node = nodeAt(event);
      if (node) showTip(node, at);
      else if (!field.contains(document.activeElement) || !tip.hidden) hideTip();
      return;
    }
    if (pointers.size === 2) {
      const old = apart();
      pointers.set(event.pointerId, at);
      const [a, b] = [...pointers.values()];
      dragged = true;
      if (old > 0) zoom(current(), apart() / old, [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2]);
      return;
    }
    if (!dragged) {
      if (Math.hypot(at[0] - pressed.at[0], at[1] - pressed.at[1]) < CLICK) return;
      dragged = true;
      if (scrolls) return;
      field.setPointerCapture(event.pointerId);
      field.classList.add("dragged");
    }
    if (scrolls) return;
    pointers.set(event.pointerId, at);
    move(current(), at[0] - before[0], at[1] - before[1]);
  });
  const release = (event) => {
    if (!pointers.delete(event.pointerId)) return;
    field.classList.remove("dragged");
    if (event.type === "pointerup" && !dragged && scrolls) {
      (pressed.node || field).focus({ preventScroll: true });
    }
    if (event.type === "pointerup" && !dragged && !pointers.size && pressed.node) {
      press(pressed.node);
      if (event.pointerType !== "mouse") showTip(pressed.node, inField(event));
    }
  };
  field.addEventListener("pointerup", release);
  field.addEventListener("pointercancel", release);
  field.addEventListener("pointerleave", () => {
    if (!pointers.size) hideTip();
  });
  // The wheel belongs to the page until the diagram is what one works with.
  field.addEventListener(
    "wheel",
    (event) => {
      if (!event.ctrlKey && !event.metaKey && !field.contains(document.activeElement)) return;
      event.preventDefault();
      zoom(current(), Math.exp(-event.deltaY / (event.deltaMode ? 20 : 400)), inField(event));
    },
    { passive: false },
  );

  // --- buttons, levels, size, print ----------------------------------------------------------------

  document.getElementById("zoom-in").addEventListener("click", () => zoom(current(), STEP));
  document.getElementById("zoom-out").addEventListener("click", () => zoom(current(), 1 / STEP));
  document.getElementById("zoom-fit").addEventListener("click", () => whole(current()));
  chooser?.addEventListener("change", () => {
    for (const place of document.querySelectorAll("[data-level]")) {
      place.hidden = place.dataset.level !== chooser.value;
    }
    if (!current().view) begin(current());
    const first = mark();
    if (first) bring(current(), first);
  });
  new ResizeObserver(() => {
    const drawing = current();
    if (drawing.view) draw(drawing);
    else if (field.clientWidth) begin(drawing);
  }).observe(field);
  addEventListener("beforeprint", () => {
    const { svg, width, height } = current();
    svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  });
  addEventListener("afterprint", () => draw(current()));
})();
