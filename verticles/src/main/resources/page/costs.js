// A chart for each model: what its batches cost by their size.
import { SVG, byId, make, number, setText } from "./dom.js";

const costs = new Map();
const CHART = { w: 300, h: 132, left: 52, right: 8, top: 8, bottom: 22 };

function newCost() {
  const card = make("article", "cost");
  const title = make("h3", "", card);
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 " + CHART.w + " " + CHART.h);
  svg.setAttribute("role", "img");
  card.appendChild(svg);
  const part = (tag, className) => {
    const element = document.createElementNS(SVG, tag);
    element.setAttribute("class", className);
    svg.appendChild(element);
    return element;
  };
  const label = (x, y, anchor) => {
    const text = part("text", "");
    text.setAttribute("x", x);
    text.setAttribute("y", y);
    text.setAttribute("text-anchor", anchor);
    return text;
  };
  const axis = part("path", "axis");
  axis.setAttribute("d", "M" + CHART.left + " " + CHART.top + "V" + (CHART.h - CHART.bottom) + "H" + (CHART.w - CHART.right));
  return {
    card, svg, name: make("span", "", title), about: make("span", "quiet", title), note: make("p", "quiet", card),
    band: part("path", "band"), line: part("path", "line"), dots: part("g", ""),
    top: label(CHART.left - 5, CHART.top + 8, "end"), zero: label(CHART.left - 5, CHART.h - CHART.bottom, "end"),
    first: label(CHART.left, CHART.h - 6, "start"), last: label(CHART.w - CHART.right, CHART.h - 6, "end"),
  };
}

function drawCost(cost, sizes) {
  const most = Math.max(...sizes.map((s) => s.items));
  // A tail far above everything else would flatten the curve; it is cut off instead.
  const usual = Math.max(...sizes.map((s) => Math.max(s.measuredMs, s.predictedMs)));
  const slowest = Math.min(2 * usual, Math.max(usual, ...sizes.map((s) => s.p99Ms))) || 1;
  const x = (s) => (CHART.left + (CHART.w - CHART.left - CHART.right) * s.items / most).toFixed(1);
  const y = (ms) => (CHART.h - CHART.bottom - (CHART.h - CHART.top - CHART.bottom) * Math.min(1, ms / slowest)).toFixed(1);
  const path = (points, field) => points.map((s) => x(s) + " " + y(s[field])).join("L");
  const back = [...sizes].reverse();
  cost.line.setAttribute("d", "M" + path(sizes, "predictedMs") + (sizes.length === 1 ? "h.01" : ""));
  cost.band.setAttribute("d", "M" + path(sizes, "predictedMs") + "L" + path(back, "p99Ms") + "Z");
  // Of a size that has not run yet there is a prediction only.
  const measured = sizes.filter((s) => s.samples > 0 && s.measuredMs > 0);
  while (cost.dots.children.length > measured.length) cost.dots.lastChild.remove();
  measured.forEach((s, i) => {
    let dot = cost.dots.children[i];
    if (!dot) {
      dot = document.createElementNS(SVG, "circle");
      dot.setAttribute("class", "sample");
      dot.setAttribute("r", "2.5");
      cost.dots.appendChild(dot);
    }
    dot.setAttribute("cx", x(s));
    dot.setAttribute("cy", y(s.measuredMs));
  });
  setText(cost.top, number(slowest) + " ms");
  setText(cost.zero, "0");
  setText(cost.first, "batch size");
  setText(cost.last, String(most));
  const largest = sizes[sizes.length - 1];
  cost.svg.setAttribute("aria-label",
    "A batch of " + largest.items + ": predicted " + number(largest.predictedMs) + " ms"
      + (measured.includes(largest) ? ", measured " + number(largest.measuredMs) + " ms" : ", not measured yet"));
}

export function showCosts(list) {
  const parent = byId("costs");
  const seen = new Set();
  list.forEach((c, i) => {
    const k = JSON.stringify([c.name, c.version, c.device]);
    seen.add(k);
    let cost = costs.get(k);
    if (!cost) costs.set(k, (cost = newCost()));
    if (parent.children[i] !== cost.card) parent.insertBefore(cost.card, parent.children[i] || null);
    setText(cost.name, c.name);
    setText(cost.about, "v" + c.version + " on " + c.device);
    setText(cost.note, c.batches > 0
      ? "Half of the last predictions within " + (100 * c.medianError).toFixed(1) + " %, "
        + (100 * c.underP99).toFixed(1) + " % of the batches under their p99"
      : "From the warm-up; no batches of requests yet");
    drawCost(cost, c.sizes);
  });
  for (const [k, cost] of costs) {
    if (!seen.has(k)) { cost.card.remove(); costs.delete(k); }
  }
  byId("costs-section").hidden = list.length === 0;
}
