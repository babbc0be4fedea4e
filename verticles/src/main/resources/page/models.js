// The table of models, with its curves, and the totals above it.
import { DASH, SVG, byId, grouped, known, make, number, setClass, setText, share } from "./dom.js";

const POINTS = 90;
const rows = new Map();
const curves = new Map();
const states = new Map();

const key = (m) => JSON.stringify([m.name, m.version]);

function spark(parent, className) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 " + (POINTS - 1) + " 30");
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("class", "spark " + className);
  svg.setAttribute("aria-hidden", "true");
  const area = document.createElementNS(SVG, "path");
  const line = document.createElementNS(SVG, "path");
  area.setAttribute("class", "area");
  line.setAttribute("class", "line");
  svg.append(area, line);
  parent.appendChild(svg);
  return { area, line };
}

// Gaps (nothing was answered in that second) break the line.
function draw(curve, values) {
  const max = Math.max(...values, 0) || 1;
  const offset = POINTS - values.length;
  const y = (v) => (28 - 25 * v / max).toFixed(1);
  let line = "", area = "", from = -1;
  const close = (to) => {
    if (from >= 0) area += "L" + (offset + to) + " 30L" + (offset + from) + " 30Z";
    from = -1;
  };
  values.forEach((v, i) => {
    if (v < 0) { close(i - 1); return; }
    const point = (offset + i) + " " + y(v);
    line += (from < 0 ? "M" : "L") + point + (from < 0 ? "h.01" : "");
    area += (from < 0 ? "M" : "L") + point;
    if (from < 0) from = i;
  });
  close(values.length - 1);
  curve.line.setAttribute("d", line);
  curve.area.setAttribute("d", area);
}

function newRow() {
  const tr = make("tr");
  const head = make("th", "", tr);
  head.scope = "row";
  const row = { tr, name: make("span", "", head), version: make("span", "quiet", head), reason: make("span", "reason", head) };
  row.state = make("span", "pill", make("td", "", tr));
  const instances = make("td", "", tr);
  row.dots = make("div", "dots", instances);
  row.instances = make("span", "unseen", instances);
  row.queued = make("td", "num", tr);
  row.rate = make("td", "num", tr);
  row.rates = spark(make("td", "", tr), "");
  row.p50 = make("td", "num", tr);
  row.p95 = make("td", "num", tr);
  row.p99 = make("td", "num", tr);
  row.p99s = spark(make("td", "", tr), "warm");
  row.inTime = make("td", "num", tr);
  row.batch = make("td", "num", tr);
  row.failures = make("td", "num", tr);
  return row;
}

const stateClass = (s) =>
  "pill " + (s === "READY" ? "good" : s === "LOADING" || s === "UNLOADING" ? "busy" : s === "UNAVAILABLE" ? "bad" : "");
const dotClass = (s) => "dot " + (s === "BUSY" ? "run" : s === "IDLE" ? "idle" : s === "STARTING" ? "" : "lost");

function showInstances(row, instances) {
  while (row.dots.children.length > instances.length) row.dots.lastChild.remove();
  instances.forEach((instance, i) => {
    const dot = row.dots.children[i] || make("span", "dot", row.dots);
    setClass(dot, dotClass(instance.state));
    const title = "#" + instance.index + " on " + instance.device + ": " + instance.state;
    if (dot.title !== title) dot.title = title;
  });
  const busy = instances.filter((i) => i.state === "BUSY").length;
  setText(row.instances, instances.length ? busy + " of " + instances.length + " busy" : "none");
}

function showModel(row, m) {
  setText(row.name, m.name);
  setText(row.version, m.version ? "v" + m.version : "");
  setText(row.reason, m.state === "READY" ? "" : m.reason || "");
  setText(row.state, m.state.toLowerCase());
  setClass(row.state, stateClass(m.state));
  showInstances(row, m.instances || []);
  setText(row.queued, known(m.queued) ? grouped.format(m.queued) : DASH);
  setText(row.rate, number(m.perSecond));
  setText(row.p50, number(m.p50Ms));
  setText(row.p95, number(m.p95Ms));
  setText(row.p99, number(m.p99Ms));
  setText(row.inTime, known(m.inObjective) ? share(m.inObjective) : DASH);
  const objective = known(m.objectiveMs) ? "Objective: " + number(m.objectiveMs) + " ms" : "";
  if (row.inTime.title !== objective) row.inTime.title = objective;
  setText(row.batch, number(m.meanBatch));
  setText(row.failures, number(m.failuresPerSecond));
  setClass(row.failures, m.failuresPerSecond > 0 ? "num alert" : "num");
}

function addPoint(m) {
  const curve = curves.get(key(m)) || { rates: [], p99s: [] };
  curves.set(key(m), curve);
  if (typeof m.rate === "number") {
    curve.rates.push(m.rate);
    curve.p99s.push(m.p99);
    curve.rates.splice(0, curve.rates.length - POINTS);
    curve.p99s.splice(0, curve.p99s.length - POINTS);
  }
  return curve;
}

export function showModels(models) {
  const body = byId("models").tBodies[0];
  const seen = new Set();
  models.forEach((m, i) => {
    const k = key(m);
    seen.add(k);
    let row = rows.get(k);
    if (!row) rows.set(k, (row = newRow()));
    if (body.children[i] !== row.tr) body.insertBefore(row.tr, body.children[i] || null);
    showModel(row, m);
    const curve = addPoint(m);
    draw(row.rates, curve.rates);
    draw(row.p99s, curve.p99s);
    if (states.has(k) && states.get(k) !== m.state) setText(byId("announce"), m.name + " is " + m.state.toLowerCase());
    states.set(k, m.state);
  });
  for (const [k, row] of rows) {
    if (!seen.has(k)) { row.tr.remove(); rows.delete(k); curves.delete(k); states.delete(k); }
  }
  byId("no-models").hidden = models.length > 0;
}

function tile(id, value, unit) {
  const dd = byId(id);
  if (dd.dataset.value === value) return;
  dd.dataset.value = value;
  dd.textContent = value;
  if (unit) make("small", "", dd).textContent = " " + unit;
}

export function showTotals(models) {
  const sum = (field) => models.reduce((n, m) => n + (m[field] || 0), 0);
  const p99 = Math.max(...models.map((m) => (known(m.p99Ms) ? m.p99Ms : -1)), -1);
  tile("total-rate", number(sum("perSecond")));
  tile("total-p99", number(p99), known(p99) ? "ms" : "");
  tile("total-queued", grouped.format(sum("queued")));
  tile("total-ready", String(models.filter((m) => m.state === "READY").length), "of " + models.length);
}

// The curves as they were before the page was opened.
export function onHistory(history) {
  for (const m of history.models) curves.set(key(m), { rates: m.rates, p99s: m.p99s });
}
