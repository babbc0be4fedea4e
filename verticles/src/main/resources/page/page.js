"use strict";
// Everything that comes from the server is untrusted: it reaches the page through textContent,
// attributes of SVG numbers and class names from fixed lists, never as markup.
(() => {
  const POINTS = 90;
  const STALE_MS = 8000;
  const RETRY_MS = 3000;
  const SHOWN_HOLDERS = 5;
  const SVG = "http://www.w3.org/2000/svg";
  const root = document.documentElement;
  const byId = (id) => document.getElementById(id);
  const rows = new Map();
  const curves = new Map();
  const states = new Map();
  const devices = new Map();
  const costs = new Map();
  let events = 0;

  const make = (tag, className, parent) => {
    const element = document.createElement(tag);
    if (className) element.className = className;
    if (parent) parent.appendChild(element);
    return element;
  };
  const setText = (element, text) => {
    if (element.textContent !== text) element.textContent = text;
  };
  const setClass = (element, name) => {
    if (element.className !== name) element.className = name;
  };

  const DASH = "\u2013";
  const known = (v) => typeof v === "number" && Number.isFinite(v) && v >= 0;
  const grouped = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
  const number = (v) => {
    if (!known(v)) return DASH;
    if (v === 0) return "0";
    return v >= 100 ? grouped.format(v) : v >= 10 ? v.toFixed(1) : v.toFixed(2);
  };
  const bytes = (v) => {
    const units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let i = 0;
    while (v >= 1024 && i < units.length - 1) { v /= 1024; i++; }
    return (i === 0 ? v : v >= 100 ? v.toFixed(0) : v.toFixed(1)) + " " + units[i];
  };
  const duration = (s) => {
    const two = (n) => String(n).padStart(2, "0");
    const d = Math.floor(s / 86400), h = Math.floor(s / 3600) % 24, m = Math.floor(s / 60) % 60;
    return (d > 0 ? d + " d " : "") + two(h) + ":" + two(m) + ":" + two(s % 60);
  };
  const percent = (v) => Math.round(Math.min(1, Math.max(0, v || 0)) * 100) + " %";
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

  function showModels(models) {
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

  function showTotals(models) {
    const sum = (field) => models.reduce((n, m) => n + (m[field] || 0), 0);
    const p99 = Math.max(...models.map((m) => (known(m.p99Ms) ? m.p99Ms : -1)), -1);
    tile("total-rate", number(sum("perSecond")));
    tile("total-p99", number(p99), known(p99) ? "ms" : "");
    tile("total-queued", grouped.format(sum("queued")));
    tile("total-ready", String(models.filter((m) => m.state === "READY").length), "of " + models.length);
  }

  function newDevice() {
    const card = make("article", "device");
    const title = make("h3", "", card);
    const device = { card, name: make("span", "", title), kind: make("span", "quiet", title) };
    const meter = (label) => {
      const head = make("div", "meter-head", card);
      make("span", "quiet", head).textContent = label;
      const text = make("span", "", head);
      const bar = make("div", "bar", card);
      bar.setAttribute("role", "meter");
      bar.setAttribute("aria-label", label);
      bar.setAttribute("aria-valuemin", "0");
      bar.setAttribute("aria-valuemax", "100");
      return { text, bar };
    };
    device.busy = meter("Occupancy");
    device.fill = make("span", "fill", device.busy.bar);
    device.memory = meter("Memory reserved");
    device.holders = make("ul", "holders", card);
    return device;
  }

  function setMeter(meter, fraction, text) {
    setText(meter.text, text);
    meter.bar.setAttribute("aria-valuenow", String(Math.round(fraction * 100)));
    meter.bar.setAttribute("aria-valuetext", text);
  }

  function showHolders(device, d) {
    const shown = d.holders.slice(0, SHOWN_HOLDERS);
    const rest = d.holders.slice(SHOWN_HOLDERS);
    if (rest.length > 0) shown.push({ owner: rest.length + " more", bytes: rest.reduce((n, h) => n + h.bytes, 0) });
    const bar = device.memory.bar;
    while (bar.children.length > shown.length) bar.lastChild.remove();
    while (device.holders.children.length > shown.length) device.holders.lastChild.remove();
    shown.forEach((h, i) => {
      const part = bar.children[i] || make("span", "h" + i, bar);
      part.style.width = (d.memoryCapacityBytes > 0 ? 100 * h.bytes / d.memoryCapacityBytes : 0) + "%";
      part.title = h.owner + ": " + bytes(h.bytes);
      let item = device.holders.children[i];
      if (!item) {
        item = make("li", "", device.holders);
        make("i", "h" + i, item);
        make("span", "name", item);
        make("span", "", item);
      }
      setText(item.children[1], h.owner);
      item.children[1].title = h.owner;
      setText(item.children[2], bytes(h.bytes));
    });
  }

  function showDevices(list) {
    const parent = byId("devices");
    const seen = new Set();
    list.forEach((d) => {
      seen.add(d.name);
      let device = devices.get(d.name);
      if (!device) {
        devices.set(d.name, (device = newDevice()));
        parent.appendChild(device.card);
      }
      setText(device.name, d.name);
      const about = d.name.startsWith(d.kind) ? [] : [d.kind];
      if (d.cores > 0) about.push(d.cores + (d.cores === 1 ? " core" : " cores"));
      if (d.gpu) {
        about.push(d.gpu.product);
        if (d.gpu.lost) about.push("LOST: " + d.gpu.lost);
        if (d.gpu.utilization !== undefined) about.push(percent(d.gpu.utilization) + " utilised");
        if (d.gpu.powerWatts !== undefined) about.push(d.gpu.powerWatts + " W");
        if (d.gpu.temperatureCelsius !== undefined) about.push(d.gpu.temperatureCelsius + " °C");
      }
      setText(device.kind, about.join(", "));
      setMeter(device.busy, d.busyFraction, percent(d.busyFraction));
      device.fill.style.width = percent(d.busyFraction).replace(" ", "");
      setClass(device.fill, d.busyFraction > 0.9 ? "hot" : "fill");
      const fraction = d.memoryCapacityBytes > 0 ? d.memoryReservedBytes / d.memoryCapacityBytes : 0;
      setMeter(device.memory, fraction, bytes(d.memoryReservedBytes) + " of " + bytes(d.memoryCapacityBytes));
      showHolders(device, d);
    });
    for (const [name, device] of devices) {
      if (!seen.has(name)) { device.card.remove(); devices.delete(name); }
    }
  }

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

  function showCosts(list) {
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

  function connection(state, text, className) {
    root.dataset.connection = state;
    setText(byId("connection"), text);
    setClass(byId("connection"), "pill " + className);
    byId("lost").hidden = state !== "lost";
  }

  function showPicture(picture) {
    byId("picture-section").hidden = !picture;
    if (picture) {
      const image = byId("picture").querySelector("img");
      const source = "/page/picture.jpg?" + picture.number;
      if (image.getAttribute("src") !== source) {
        image.src = source;
        image.alt = picture.caption;
        byId("picture").querySelector("figcaption").textContent = picture.caption;
      }
    }
  }

  function onSample(sample) {
    connection("live", sample.server.ready ? "live" : "starting", sample.server.ready ? "good" : "busy");
    setText(byId("version"), sample.server.version);
    setText(byId("uptime"), duration(sample.server.uptimeSeconds));
    showTotals(sample.models);
    showModels(sample.models);
    showCosts(sample.costs || []);
    showDevices(sample.devices);
    showPicture(sample.picture);
    root.dataset.events = String(++events);
  }

  function onHistory(history) {
    for (const m of history.models) curves.set(key(m), { rates: m.rates, p99s: m.p99s });
  }

  const lost = () => connection("lost", "connection lost", "bad");

  function connect() {
    const source = new EventSource("/events");
    let lastEventMs = Date.now();
    const on = (name, show) =>
      source.addEventListener(name, (e) => {
        lastEventMs = Date.now();
        show(JSON.parse(e.data));
      });
    on("history", onHistory);
    on("sample", onSample);
    const again = () => {
      clearInterval(watch);
      source.close();
      setTimeout(connect, RETRY_MS);
    };
    source.onerror = () => {
      lost();
      // After an answer other than 200 the browser gives up by itself.
      if (source.readyState === EventSource.CLOSED) again();
    };
    // A connection can die without an error; silence tells.
    const watch = setInterval(() => {
      if (Date.now() - lastEventMs > STALE_MS) {
        lost();
        again();
      }
    }, 1000);
  }

  connect();
})();
