// What the server says once a second, brought to where it is shown.
import { byId, duration, setClass, setText } from "./dom.js";
import { showCosts } from "./costs.js";
import { showDevices } from "./devices.js";
import { onHistory, showModels, showTotals } from "./models.js";

const STALE_MS = 8000;
const RETRY_MS = 3000;
const root = document.documentElement;
let events = 0;

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
