/* Draws the figures of a page with plotly.js, which is loaded when a figure comes near the window.
   archcost/plot/bundle.py says what the page has to hold. */
(() => {
  "use strict";

  const NEAR = "600px 0px";
  const IDLE_AFTER = 2500; // ms after the page: by then whoever came for something else has it
  const NARROW = 560; // px
  const NARROW_NAME = 14; // characters
  const LEGEND_GAP = 10; // px between the legend and the panels
  const PRINTED_WIDTH = 680; // px: A4 and Letter within their margins

  const own = document.currentScript;
  const nonce = own.nonce;
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const coarse = window.matchMedia("(pointer: coarse)");
  const read = (id) => JSON.parse(document.getElementById(id).textContent);

  function theme() {
    const chosen = document.documentElement.dataset.theme;
    return chosen === "light" || chosen === "dark" ? chosen : dark.matches ? "dark" : "light";
  }

  /* "@name" or "@name/0.3" under a key that ends in "color" -> the theme's colour. */
  function colored(thing, colors, isColor) {
    if (typeof thing === "string") {
      if (!isColor || thing[0] !== "@") return thing;
      const [name, alpha] = thing.slice(1).split("/");
      const hex = colors[name];
      if (alpha === undefined) return hex;
      const part = (at) => parseInt(hex.slice(at, at + 2), 16);
      return `rgba(${part(1)},${part(3)},${part(5)},${alpha})`;
    }
    if (Array.isArray(thing)) {
      const plain = typeof thing[0] !== "object" && !(isColor && typeof thing[0] === "string");
      return plain ? thing : thing.map((one) => colored(one, colors, isColor));
    }
    if (thing === null || typeof thing !== "object") return thing;
    return Object.fromEntries(
      Object.entries(thing).map(([key, value]) => [
        key,
        colored(value, colors, key.endsWith("color") || (isColor && Array.isArray(value))),
      ]),
    );
  }

  /* plotly.js ------------------------------------------------------------------------------- */

  function unpacked(element) {
    const letters = atob(element.textContent.trim());
    const bytes = new Uint8Array(letters.length);
    for (let i = 0; i < letters.length; i++) bytes[i] = letters.charCodeAt(i);
    return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip")));
  }

  let loading = null;
  function plotly() {
    loading ||= (async () => {
      const element = document.getElementById("plotly-packed");
      const url = element
        ? URL.createObjectURL(await unpacked(element).blob())
        : own.dataset.plotly;
      await new Promise((done, failed) => {
        const script = document.createElement("script");
        script.nonce = nonce;
        script.src = url;
        script.onload = done;
        script.onerror = () => failed(new Error("the script is not there"));
        document.head.append(script);
      });
      if (element) URL.revokeObjectURL(url);
      return window.Plotly;
    })();
    return loading;
  }

  /* Figures --------------------------------------------------------------------------------- */

  let colors = null;
  const figures = new Map(); // element -> { spec, status, queue, at, drawn }

  async function take(place, figure) {
    const packed = document.getElementById(`figure-${place.dataset.figure}`);
    figure.spec = await unpacked(packed).json();
    place.style.minHeight = `${height(place, figure.spec)}px`;
  }

  /* Lines of text as plotly.js, which reads some HTML in them, draws them letter by letter. */
  function literal(text) {
    const codes = { "&": "&amp;", "<": "&lt;", ">": "&gt;", "\n": "<br>" };
    return text.replace(/[&<>\n]/g, (letter) => codes[letter]);
  }

  function prepared(place, name, changes) {
    colors ||= read("figure-colors");
    const { data, layout, config, narrow: stacked } = colored(
      figures.get(place).spec,
      colors[name],
      false,
    );
    for (const trace of data) if (trace.hovertext) trace.hovertext = trace.hovertext.map(literal);
    if (coarse.matches) layout.dragmode = false; // a finger that moves scrolls the page
    if (place.clientWidth < NARROW && !changes.width) narrow(data, layout, config, stacked);
    return [data, { ...layout, ...changes }, config];
  }

  function height(place, { data, layout, narrow: stacked }) {
    return place.clientWidth < NARROW ? narrowHeight(data, layout, stacked) : layout.height;
  }

  /* The legend has a line for one or two names. */
  function narrowHeight(data, layout, stacked) {
    const names = data.filter((trace) => trace.showlegend).length;
    return (stacked?.height ?? layout.height) + 14 * names;
  }

  /* A phone's width: smaller letters and points, fewer ticks, short names of categories. */
  function narrow(data, layout, config, stacked) {
    layout.height = narrowHeight(data, layout, stacked);
    if (stacked) {
      for (const [axis, domain] of Object.entries(stacked.domains)) layout[axis].domain = domain;
      layout.annotations = layout.annotations.map((one, at) =>
        at < stacked.headings.length ? { ...one, x: 0, y: stacked.headings[at] } : one,
      );
    }
    layout.font.size = 11;
    layout.margin.l = layout.margin.r = 4;
    config.displayModeBar = false;
    for (const [key, axis] of Object.entries(layout)) {
      if (!/^[xy]axis/.test(key)) continue;
      axis.title.standoff = 4;
      if (axis.ticktext) {
        axis.ticktext = axis.ticktext.map((name) =>
          name.length <= NARROW_NAME || name.includes("&") ? name : `${name.slice(0, NARROW_NAME - 1)}…`,
        );
      } else {
        axis.nticks = axis.type === "log" ? 3 : 5; // for more, 2 and 5 of each power of ten too
        axis.tickangle = 0;
      }
    }
    for (const { marker } of data) if (marker?.sizeref) marker.sizeref *= 3;
  }

  function draw(place, name = theme(), changes = {}) {
    const figure = figures.get(place);
    figure.queue = figure.queue
      .then(async () => {
        const Plotly = await plotly();
        await Plotly.react(place, ...prepared(place, name, changes));
        place.dataset.drawn = name;
        place.removeAttribute("aria-busy");
        if (!figure.drawn) {
          figure.drawn = true;
          place.style.minHeight = "";
          place.on("plotly_afterplot", () => arrange(place));
          place.on("plotly_click", ({ points: [{ curveNumber, pointNumber }] }) =>
            pick(place, { trace: curveNumber, point: pointNumber }),
          );
          arrange(place);
        }
      })
      .catch((error) => {
        place.removeAttribute("aria-busy");
        place.dataset.failed = "";
        const old = typeof DecompressionStream === "undefined";
        place.textContent = old
          ? "Figures need a browser of 2023 or later."
          : `The figure cannot be drawn: ${error.message}.`;
      });
    return figure.queue;
  }

  /* Texts beside points. One that would lie on one before it or be cut off is hidden; that of a point
     has several places to try, another one is moved aside. A name does not lie on another point either. */
  function arrange(place) {
    const { texts, points } = written(place);
    const { left, right, top } = place.getBoundingClientRect();
    const { l, t, h } = place._fullLayout._size;
    const above = top + t - LEGEND_GAP;
    const room = new DOMRect(left + l, above, right - left - l, h + LEGEND_GAP);
    const taken = [];
    for (const { text, kind, point } of texts) {
      Object.assign(text.style, {
        paintOrder: "stroke",
        stroke: place._fullLayout.plot_bgcolor,
        strokeWidth: "3px",
        translate: "",
      });
      const box = text.getBoundingClientRect();
      const places = point ? around(point, box, room) : [box, shifted(box, left, right)];
      const spots = places.filter((spot) => !taken.some((other) => touches(spot, other)));
      const clear = (spot) =>
        within(spot, room) && !points.some((other) => covers(other, spot, point));
      const whole = (spot) => spot.left >= left && spot.right <= right;
      const found = (point && spots.find(clear)) || (kind !== "names" && spots.find(whole));
      text.style.visibility = found ? "" : "hidden";
      if (!found) continue;
      taken.push(found);
      if (found !== box) text.style.translate = `${found.left - box.left}px ${found.top - box.top}px`;
    }
  }

  /* The texts in a figure, each with the point that it is beside, and where other points are. Names
     come last, those first that are the most important ones of their groups. */
  function written(place) {
    const texts = [];
    const points = [];
    for (const group of place.querySelectorAll(".scatterlayer .trace")) {
      const kind = group.__data__[0].trace.meta;
      const own = [...group.querySelectorAll(".point")].map((one) => one.getBoundingClientRect());
      const beside = kind === "names" || kind === "note";
      group.querySelectorAll(".textpoint text").forEach((text, at) => {
        const rank = kind === "names" ? at : -1;
        texts.push({ text, kind, rank, point: beside ? own[at] : null });
      });
      if (!beside) points.push(...own);
    }
    texts.sort((a, b) => a.rank - b.rank);
    return { texts, points };
  }

  const touches = (a, b) =>
    a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
  const within = (a, b) =>
    a.left >= b.left && a.right <= b.right && a.top >= b.top && a.bottom <= b.bottom;
  const middle = ({ left, right, top, bottom }) => [(left + right) / 2, (top + bottom) / 2];

  /* A text that would be cut off, as far aside as it has to be, over the end of its bar for one. */
  function shifted(box, left, right) {
    const x = Math.max(left, Math.min(box.left, right - box.width));
    return new DOMRect(x, box.top, box.width, box.height);
  }

  /* The places of a text of this size: above a point, below it, beside it, then above and below it to
     its sides. */
  function around(point, { width, height }, room) {
    const [x, y] = middle(point);
    const centred = Math.max(room.left, Math.min(x - width / 2, room.right - width));
    return [
      [centred, point.top - height],
      [centred, point.bottom],
      [point.right + 2, y - height / 2],
      [point.left - 2 - width, y - height / 2],
      [x - width, point.top - height],
      [x, point.top - height],
      [x - width, point.bottom],
      [x, point.bottom],
    ].map(([left, top]) => new DOMRect(left, top, width, height));
  }

  /* Whether a point other than a text's own lies below the text. */
  function covers(other, box, point) {
    const [[x, y], [ownX, ownY]] = [middle(other), middle(point)];
    if (Math.hypot(x - ownX, y - ownY) < 1) return false;
    const across = Math.max(box.left - x, 0, x - box.right);
    const down = Math.max(box.top - y, 0, y - box.bottom);
    return Math.hypot(across, down) < other.width / 2;
  }

  function pick(place, at) {
    const trace = figures.get(place).spec.data[at.trace];
    const lines = trace.hovertext?.[at.point]?.split("\n") ?? [];
    const name = trace.customdata?.[at.point] ?? (trace.meta === "named" ? lines[0] : "");
    const detail = { name, lines, figure: place.dataset.figure };
    place.dispatchEvent(new CustomEvent("figure-pick", { bubbles: true, detail }));
  }

  /* The keyboard: arrows go from point to point, Enter picks one, Escape ends it. ------------ */

  const says = (trace) => trace.visible === true && Array.isArray(trace.hovertext);

  function move(place, key) {
    const figure = figures.get(place);
    const traces = place._fullData.filter(says);
    if (!traces.length) return;
    let at = traces.findIndex((trace) => trace.index === figure.at?.trace);
    let point = figure.at?.point ?? -1;
    if (at < 0) [at, point] = [0, -1];
    if (key === "ArrowUp" || key === "ArrowDown") {
      at = (at + (key === "ArrowDown" ? 1 : traces.length - 1)) % traces.length;
    }
    const last = traces[at].hovertext.length - 1;
    if (key === "ArrowRight") point = Math.min(point + 1, last);
    if (key === "ArrowLeft") point = Math.max(point - 1, 0);
    if (key === "Home") point = 0;
    if (key === "End") point = last;
    point = Math.max(0, Math.min(point, last));
    const { index, xaxis, yaxis, hovertext } = traces[at];
    figure.at = { trace: index, point };
    window.Plotly.Fx.hover(place, [{ curveNumber: index, pointNumber: point }], [xaxis + yaxis]);
    figure.status.textContent = figure.spec.data[index].hovertext[point].replaceAll("\n", "; ");
  }

  function keyed(event) {
    const place = event.currentTarget;
    const figure = figures.get(place);
    if (!figure.drawn || event.ctrlKey || event.metaKey || event.altKey) return;
    if (/^(Arrow(Left|Right|Up|Down)|Home|End)$/.test(event.key)) {
      event.preventDefault();
      move(place, event.key);
    } else if (event.key === "Enter" && figure.at) {
      pick(place, figure.at);
    } else if (event.key === "Escape") {
      window.Plotly.Fx.unhover(place);
      figure.at = null;
    }
  }

  /* When ------------------------------------------------------------------------------------ */

  const near = new IntersectionObserver(
    (entries) => {
      for (const { isIntersecting, target } of entries) {
        if (!isIntersecting) continue;
        near.unobserve(target);
        draw(target);
      }
    },
    { rootMargin: NEAR },
  );

  for (const place of document.querySelectorAll("[data-figure]")) {
    const status = document.createElement("div");
    status.className = "said";
    status.style.cssText =
      "position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)";
    status.setAttribute("role", "status");
    place.after(status);
    place.tabIndex = 0;
    place.setAttribute("role", "application");
    place.setAttribute("aria-roledescription", "figure");
    place.setAttribute("aria-busy", "true");
    place.addEventListener("keydown", keyed);
    const figure = { spec: null, status, at: null, drawn: false };
    figures.set(place, figure);
    figure.queue = take(place, figure);
    // What goes wrong is said where the figure would be drawn.
    figure.queue.catch(() => {}).then(() => near.observe(place));
  }

  const idle = window.requestIdleCallback || ((task) => setTimeout(task, 50));
  const rest = () => {
    const place = [...figures.keys()].find((one) => one.getAttribute("aria-busy") && one.offsetParent);
    if (!place) return;
    near.unobserve(place);
    draw(place).then(() => idle(rest));
  };
  window.addEventListener("load", () => setTimeout(() => idle(rest), IDLE_AFTER));

  function again(name, changes) {
    for (const [place, { drawn }] of figures) if (drawn) draw(place, name, changes);
  }
  let shown = theme();
  function themeChanged() {
    if (theme() === shown) return;
    shown = theme();
    again(shown);
  }
  dark.addEventListener("change", themeChanged);
  window.matchMedia(`(max-width: ${NARROW + 60}px)`).addEventListener("change", () => again(shown));
  new MutationObserver(themeChanged).observe(document.documentElement, {
    attributeFilter: ["data-theme"],
  });

  /* Paper is light and narrow, whatever the window is. */
  window.addEventListener("beforeprint", () => {
    for (const [place, figure] of figures) {
      if (!window.Plotly || !figure.spec) continue;
      const changes = { width: PRINTED_WIDTH, autosize: false };
      window.Plotly.react(place, ...prepared(place, "light", changes));
      place.dataset.drawn = "light";
    }
  });
  window.addEventListener("afterprint", () => again(theme()));
})();
