// A card for each device: how busy it is, and who holds its memory.
import { byId, bytes, make, percent, setClass, setText } from "./dom.js";

const SHOWN_HOLDERS = 5;
const devices = new Map();

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

export function showDevices(list) {
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
    }
    const told = d.gpu || d.cpu || {};
    if (told.utilization !== undefined) about.push(percent(told.utilization) + " utilised");
    if (told.smActivity !== undefined) about.push(percent(told.smActivity) + " of its multiprocessors busy");
    if (told.powerWatts !== undefined) about.push(told.powerWatts + " W");
    if (told.temperatureCelsius !== undefined) about.push(told.temperatureCelsius + " °C");
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
